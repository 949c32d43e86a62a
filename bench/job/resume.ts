// An interrupted job gone on with: the controller is stopped when all sectors but the last are acknowledged, and
// another one takes over with what is on record. The agent and its stub wait meanwhile.
import type { JobEvent } from '../../controller/job/ports.ts';
import type { IdentityName } from '../../sim/stlink/identity.ts';
import { floorOf, type Floor } from './floor.ts';
import { CHIP, MeasuredProduct } from './product.ts';
import { oldContents, randomImage } from './images.ts';
import type { Network } from './network.ts';

export interface ResumeSpec {
  readonly kiB: number;
  readonly probe: IdentityName;
  readonly network: Network;
}

export interface ResumeResult extends ResumeSpec {
  readonly name: string;
  /** New tunnel confirmed to receipt, virtual ms. */
  readonly ms: number;
  readonly skipped: readonly number[];
  /** In the second part; the floor is that of these sectors. */
  readonly erased: readonly number[];
  readonly floor: Floor;
  /** The chip was digesting what it had not just written, in the second part, ms. */
  readonly digesting: number;
}

/** Interrupts at the last sector's acknowledgement and resumes. @throws Error when either part fails otherwise */
export async function measureResume(spec: ResumeSpec): Promise<ResumeResult> {
  const product = new MeasuredProduct({ seed: 1, probe: spec.probe, network: spec.network, flash: oldContents(true) });
  const image = randomImage(spec.kiB, 101);
  const plan = product.plan(image);
  const record = product.record(image, plan);
  const last = plan.sectors.at(-1);
  const first = product.startJob(image, record, {}, (event: JobEvent) => {
    if (event.type === 'sector' && event.sector === last) first.interrupt();
  });
  const agent = product.startAgent(record);
  await product.drive(first.done.then(undefined, () => {}));
  const stored = product.stored;
  if (stored === undefined) throw new Error('nothing is on record');
  const from = product.events.length;
  const digested = product.watch.digesting;
  const second = product.startJob(image, stored);
  const [{ skipped }] = await product.drive(Promise.all([second.done, agent]));
  const later = product.events.slice(from);
  const at = (type: JobEvent['type']): number => later.find(({ event }) => event.type === type)?.at ?? Number.NaN;
  const erasures = later.flatMap(({ event }) => (event.type === 'erased' ? [event] : []));
  return {
    ...spec,
    name: `${spec.kiB < 1024 ? `${spec.kiB} KB` : `${spec.kiB / 1024} MB`}, --resume`,
    ms: at('receipt') - at('tunnel'),
    skipped,
    erased: erasures.map(({ sector }) => sector),
    floor: floorOf(image, plan, CHIP, erasures),
    digesting: product.watch.digesting - digested,
  };
}
