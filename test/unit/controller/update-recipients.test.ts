// Which devices of the registry an update file is sealed for (controller/update/recipients.ts).
import assert from 'node:assert/strict';
import { chooseRecipients, type RegisteredDevice } from '../../../controller/update/recipients.ts';
import { isBlindflashError } from '../../../shared/errors/errors.ts';
import { toHex } from '../../../shared/codec/bytes.ts';

const device = (digit: string, change: Partial<RegisteredDevice> = {}): RegisteredDevice => ({
  uid: digit.repeat(24),
  state: 'active',
  keys: { product: 7, fileKey: digit.repeat(64) },
  mode: 'seeded',
  ...change,
});

const [ONE, TWO] = [device('1'), device('2', { mode: 'lock-then-load' })];
const UNFIT = [
  device('3', { state: 'retired' }),
  device('4', { state: 'stolen' }),
  device('5', { keys: undefined }),
  device('6', { mode: undefined }),
];

const refused = (detail: RegExp) => (error: unknown) =>
  isBlindflashError(error, 'BF-UPDATE-RECIPIENTS') && detail.test(error.detail ?? '');

describe('recipients of an update file', () => {
  it('all: the active ones with keys and a mode; of the others it is said why they get nothing', () => {
    const { recipients, product, mode, left } = chooseRecipients([ONE, ...UNFIT, TWO], { to: ['all'] });
    assert.deepEqual(
      recipients.map(({ uid, devicePublic }) => [toHex(uid), toHex(devicePublic)]),
      [
        ['1'.repeat(24), '1'.repeat(64)],
        ['2'.repeat(24), '2'.repeat(64)],
      ],
    );
    assert.deepEqual([product, mode], [7, 'lock-then-load']);
    assert.deepEqual(
      left.map(({ uid, why }) => `${uid[0]} ${why.split(' ', 2).join(' ')}`),
      ['3 is retired', '4 is stolen', '5 has keys', '6 was enrolled'],
    );
  });

  it('by first digits: one that cannot get the file is refused by name, and so is a beginning that fits none', () => {
    const { recipients, mode } = chooseRecipients([ONE, TWO], { to: ['1111'] });
    assert.deepEqual([recipients.length, mode], [1, 'seeded']);
    assert.equal(chooseRecipients([ONE, TWO], { to: ['1', '11', '2'] }).recipients.length, 2);
    for (const unfit of UNFIT) {
      assert.throws(() => chooseRecipients([ONE, unfit], { to: ['1', unfit.uid] }), refused(new RegExp(unfit.uid)));
    }
    assert.throws(() => chooseRecipients([ONE], { to: ['9'] }), refused(/no device 9/));
    assert.throws(() => chooseRecipients([ONE], { to: [''] }), refused(/no device/));
  });

  it('of several products: only when it is said which', () => {
    const other = device('8', { keys: { product: 9, fileKey: '8'.repeat(64) } });
    assert.throws(() => chooseRecipients([ONE, other], { to: ['all'] }), refused(/products 7, 9/));
    const { recipients, product, left } = chooseRecipients([ONE, other], { to: ['all'], product: 9 });
    assert.deepEqual([recipients.length, product, left.length], [1, 9, 1]);
    assert.throws(() => chooseRecipients([ONE], { to: ['1'], product: 9 }), refused(/is of product 7/));
    assert.throws(() => chooseRecipients([ONE], { to: ['all'], product: 9 }), refused(/none is left/));
    assert.throws(() => chooseRecipients([], { to: ['all'] }), refused(/no device yet/));
    const undecided = device('5', { keys: undefined });
    assert.throws(() => chooseRecipients([undecided], { to: ['all'] }), refused(/none of them has keys in use/));
  });
});
