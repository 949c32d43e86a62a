// Revoked rooms: until when each is shut, and that only so many are remembered.
import assert from 'node:assert/strict';
import { RevokedRooms } from '../../../relay/core/revoked-rooms.ts';
import { seededRandom } from '../../fixtures/seeded.ts';

describe('revoked rooms', () => {
  const held = (rooms: RevokedRooms, now: number, ...keys: string[]): string =>
    keys.filter((key) => rooms.holds(key, now)).join('');

  it('are shut until the second they were given, and others never were', () => {
    const rooms = new RevokedRooms(10);
    rooms.add('a', 100);
    assert.equal(held(rooms, 99, 'a', 'b'), 'a');
    assert.equal(held(rooms, 100, 'a', 'b'), '');
  });

  it('may be revoked again for longer, not for shorter', () => {
    const rooms = new RevokedRooms(10);
    for (const until of [100, 200, 150]) rooms.add('a', until);
    assert.equal(held(rooms, 199, 'a'), 'a');
    assert.equal(held(rooms, 200, 'a'), '');
  });

  it('are forgotten soonest to end first when there are too many, each counted once', () => {
    const rooms = new RevokedRooms(3);
    rooms.add('a', 300);
    rooms.add('b', 100);
    rooms.add('c', 200);
    rooms.add('b', 400);
    assert.equal(held(rooms, 60, 'a', 'b', 'c'), 'abc');
    rooms.add('d', 250);
    assert.equal(held(rooms, 60, 'a', 'b', 'c', 'd'), 'abd');
    rooms.add('e', 90);
    assert.equal(held(rooms, 60, 'a', 'b', 'c', 'd', 'e'), 'abd');
  });

  it('whose time is over make place', () => {
    const rooms = new RevokedRooms(2);
    rooms.add('a', 100);
    rooms.add('b', 200);
    rooms.add('c', 90);
    assert.equal(held(rooms, 60, 'a', 'b', 'c'), 'ab');
    rooms.add('d', 150);
    assert.equal(held(rooms, 100, 'b', 'd'), 'bd');
  });

  it('agree with a plain list, over random histories', () => {
    const random = seededRandom(0x4014);
    for (let round = 0; round < 50; round++) {
      const rooms = new RevokedRooms(8);
      let list: { key: string; until: number }[] = [];
      for (let now = 0; now < 200; now++) {
        const [key, until] = [`${random.int(20)}`, now + 1 + random.int(60)];
        rooms.add(key, until);
        const known = list.find((one) => one.key === key);
        if (known === undefined || known.until < until) {
          list = [{ key, until }, ...list.filter((one) => one !== known)].filter((one) => one.until > now);
          list.sort((a, b) => a.until - b.until);
        }
        // Which of several that end in the same second goes first is nobody's business.
        const last = list.length > 8 ? list[list.length - 9]!.until : -1;
        for (let other = 0; other < 20; other++) {
          const { until: end = 0 } = list.find((one) => one.key === `${other}`) ?? {};
          if (end !== last) assert.equal(rooms.holds(`${other}`, now), end > Math.max(now, last), `${other} at ${now}`);
        }
        list = list.filter((one) => rooms.holds(one.key, now));
      }
    }
  });
});
