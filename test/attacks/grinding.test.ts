// H1: the code cannot be ground. Who replaces an invite has one try a T1, and 32 T1 an invite
// (docs/protocol.md §4, §13).
import assert from 'node:assert/strict';
import { INVITE_LIMITS, type InviteState } from '../../shared/tunnel/invite-state.ts';
import { tunnelCode } from '../../shared/tunnel/secrets.ts';
import { seeded } from '../unit/shared/support.ts';
import { AgentEnd, ControllerEnd, ends, isTag, opened, settle, type Ends } from '../unit/shared/tunnel-ends.ts';
import { answerTo, codeAtVendor, customer, forecaster, TOY_CODES, toyCode } from './replaced-invite.ts';

const nonceR = (i: number) => Buffer.alloc(32, `nonce ${i} `);

describe('attack: grinding the code with a replaced invite', () => {
  it('succeeds against the order of version 1, in which nonce_i is known before nonce_r is chosen', () => {
    const { t1 } = customer('of version 1');
    // The hook: version 1 sent what version 2 commits to.
    const nonceI = seeded('customer of version 1').bytes(64).slice(32);
    const [wanted, forecast] = [toyCode(codeAtVendor('v1')), forecaster(t1)];
    let tries = 0;
    while (forecast(nonceI, nonceR(tries)) !== wanted) assert.ok(++tries < 20 * TOY_CODES, 'no nonce_r fits');
    assert.equal(forecast(nonceI, nonceR(tries)), wanted);
  });

  it('what the attack computes is what the customer would see: it is the real one', () => {
    const attempt = customer('seen');
    const { code, t3 } = attempt.receiveT2(answerTo(attempt.t1, nonceR(7)).t2)!;
    assert.equal(forecaster(attempt.t1)(t3.slice(0, 32), nonceR(7)), toyCode(code));
  });

  it('fails: T1 shows a commitment, and a nonce_r chosen for any other nonce_i leads nowhere', () => {
    let hits = 0;
    for (let round = 0; round < 32; round++) {
      const attempt = customer(`round ${round}`);
      const wanted = toyCode(codeAtVendor(`round ${round}`));
      // One answer is all he gets out of a T1, whatever he computed before.
      const first = attempt.receiveT2(answerTo(attempt.t1, nonceR(round)).t2)!;
      if (toyCode(first.code) === wanted) hits++;
      for (let again = 0; again < 3; again++) {
        assert.equal(attempt.receiveT2(answerTo(attempt.t1, nonceR(1000 + again)).t2), undefined);
      }
    }
    assert.ok(hits <= 2, `${hits} of 32 T1 hit a code of 12 bits`);
  });

  it('32 T1 hit one code of 12 bits in 32 of 4096 invites: the bits of a code are even', () => {
    const random = seeded('codes');
    const seen = new Array<number>(TOY_CODES).fill(0);
    for (let i = 0; i < 8 * TOY_CODES; i++) {
      seen[toyCode(tunnelCode(random.bytes(32), random.bytes(32), random.bytes(32)))]!++;
    }
    const spread = seen.reduce((sum, count) => sum + (count - 8) ** 2 / 8, 0);
    // χ² of 4095 degrees of freedom: 4095 ± 90.5.
    assert.ok(spread > 3640 && spread < 4550, `χ² ${spread}`);
  });
});

describe('attack: thousands of replaced invites', () => {
  const INVITES = 48;
  /** Of codes of 8 bits: rare enough to count, frequent enough to see. */
  const toy = (code: string): number => toyCode(code) >> 4;
  const CODES = 256;
  const codes: string[] = [];

  /** One invite: every T1 it answers at the vendor's, every code one agent shows, compared whenever either changes. */
  function hits(invite: number): boolean {
    let atCustomer = -1;
    let hit = false;
    for (let t1 = 0; t1 < INVITE_LIMITS.answers; t1++) {
      const vendors = codeAtVendor(`${invite} ${t1}`);
      codes.push(vendors);
      const atVendor = toy(vendors);
      hit ||= atVendor === atCustomer;
      if (t1 % 2 === 1) continue;
      const attempt = customer(`${invite} ${t1}`);
      const shown = attempt.receiveT2(answerTo(attempt.t1, nonceR(64 * invite + t1)).t2)!.code;
      codes.push(shown);
      atCustomer = toy(shown);
      hit ||= atVendor === atCustomer;
    }
    return hit;
  }

  it('meet an equal pair of codes as often as chance has it: 48 comparisons an invite, whatever is chosen', () => {
    const won = Array.from({ length: INVITES }, (_, invite) => hits(invite)).filter((hit) => hit).length;
    assert.ok(codes.length >= 2000, `${codes.length} tunnels`);
    const chance = 1 - (1 - 1 / CODES) ** 47;
    const [expected, deviation] = [INVITES * chance, Math.sqrt(INVITES * chance * (1 - chance))];
    assert.ok(Math.abs(won - expected) < 4 * deviation, `${won} of ${INVITES} invites, ${expected} expected`);
  }).timeout(300_000);

  it('see codes that are even in each of their six places', () => {
    for (let place = 0; place < 6; place++) {
      const seen = new Map<string, number>();
      for (const code of codes) {
        const letter = code.replace('-', '')[place]!;
        seen.set(letter, (seen.get(letter) ?? 0) + 1);
      }
      const each = codes.length / 32;
      const spread = [...seen.values()].reduce((sum, count) => sum + (count - each) ** 2 / each, 0);
      // χ² of 31 degrees of freedom: 31 ± 7.9.
      assert.ok(seen.size === 32 && spread > 8 && spread < 65, `place ${place}: χ² ${spread}`);
    }
    assert.equal(new Set(codes).size, codes.length, 'no two of them are equal');
  });

  it('the old weakness by hook: with the order of version 1 every invite is hit', () => {
    for (let invite = 0; invite < 6; invite++) {
      const { t1 } = customer(`old ${invite}`);
      const nonceI = seeded(`customer old ${invite}`).bytes(64).slice(32);
      const [wanted, forecast] = [toyCode(codeAtVendor(`old ${invite}`)) >> 4, forecaster(t1)];
      let tries = 0;
      while (forecast(nonceI, nonceR(tries)) >> 4 !== wanted) assert.ok(++tries < 20 * CODES, 'no nonce_r fits');
    }
  });
});

/** Opens tunnels with fresh T1 and never types a code, until one gets no answer; returns how many were answered. */
async function askUntilSilence(all: Ends, next: () => AgentEnd): Promise<number> {
  for (let asked = 0; asked < 100; asked++) {
    const before = all.carrier.carried.filter(isTag(0x02)).length;
    const agent = next();
    all.carrier.leave('agent');
    all.carrier.join(agent);
    await settle(all, 300);
    if (all.carrier.carried.filter(isTag(0x02)).length === before) return asked;
  }
  return 100;
}

describe('attack: asking for codes again and again', () => {
  it('T1 number 33 gets no T2, and the invite is spent', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
    all.carrier.join(all.controller);
    let [last, asked] = [all.agent, 0];
    const answered = await askUntilSilence(all, () => {
      last = new AgentEnd(all.clock, `asker ${asked++}`, [...all.agent.disk]);
      return last;
    });
    assert.equal(answered, INVITE_LIMITS.answers);
    assert.deepEqual([all.controller.spent, all.controller.disk.spent], [['answers'], 'answers']);
    assert.equal(all.controller.disk.secret, undefined);
    assert.deepEqual(
      last.failures.map(({ code }) => code),
      ['BF-INVITE-SPENT'],
    );
  });

  it('nor does it with the secrets of the way back, after tunnels that were confirmed and not typed', async () => {
    const all = await opened();
    let agent = all.agent;
    const answered = await askUntilSilence(all, () => {
      const next = new AgentEnd(all.clock, `again ${all.controller.disk.answers}`, agent.disk);
      agent = next;
      return next;
    });
    assert.equal(1 + answered, INVITE_LIMITS.answers);
    assert.equal(all.controller.tunnels, INVITE_LIMITS.answers);
    assert.deepEqual(all.controller.spent, ['answers']);
  });

  it('a controller that is killed after every T2 has not forgotten the count', async () => {
    const all = ends();
    let state: InviteState = all.controller.disk;
    let answers = 0;
    for (let process = 0; process < 40; process++) {
      const controller = new ControllerEnd(all.clock, `process ${process}`, state);
      const agent = new AgentEnd(all.clock, `agent ${process}`, [...all.agent.disk]);
      const carried = all.carrier.carried.length;
      all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
      all.carrier.leave('agent');
      all.carrier.leave('controller');
      all.carrier.join(controller);
      all.carrier.join(agent);
      await settle(all, 300);
      answers += all.carrier.carried.slice(carried).filter(isTag(0x02)).length;
      // kill -9: what was not on disk is gone.
      state = controller.disk;
    }
    assert.equal(answers, INVITE_LIMITS.answers);
    assert.equal(state.spent, 'answers');
  });

  it('a killed controller that had not written the count down had not answered either', async () => {
    const all = ends();
    all.controller.keepsBy = () => new Promise(() => {});
    await opened(all);
    assert.equal(all.carrier.carried.filter(isTag(0x02)).length, 0);
    assert.equal(all.controller.disk.answers, 0);
  });

  for (const [what, keep] of [
    ['is being written', () => new Promise<void>(() => {})],
    ['could not be written', () => Promise.reject(new Error('the disk is full'))],
  ] as const) {
    it(`a T1 that comes twice gets no answer either while its count ${what}`, async () => {
      const all = ends();
      all.controller.keepsBy = keep;
      await opened(all);
      const t1 = all.carrier.carried.find(isTag(0x01))!.body;
      for (let again = 0; again < 3; again++) await all.carrier.inject('controller', t1);
      await settle(all, 300);
      assert.deepEqual([all.carrier.carried.filter(isTag(0x02)).length, all.controller.disk.answers], [0, 0]);
    });
  }

  it('control: once it is written every copy of the T1 gets the same answer', async () => {
    const all = ends();
    all.carrier.weather = (body) => (body[0] === 0x03 ? [] : [0]);
    await opened(all);
    const t1 = all.carrier.carried.find(isTag(0x01))!.body;
    for (let again = 0; again < 3; again++) await all.carrier.inject('controller', t1);
    await settle(all, 300);
    const answers = all.carrier.carried.filter(isTag(0x02)).map(({ body }) => Buffer.from(body).toString('hex'));
    assert.deepEqual([answers.length, new Set(answers).size, all.controller.disk.answers], [4, 1, 1]);
  });

  it('the count returns to 0 when the code was typed right', async () => {
    const all = await opened();
    assert.equal(all.controller.disk.answers, 1);
    assert.equal(await all.controller.tunnel.checkCode(all.agent.codes[0]!), 'right');
    assert.equal(all.controller.disk.answers, 0);
  });
});
