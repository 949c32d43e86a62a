// Why the vendor gave a job up, as the customer is told it.
import { quotable, type ForeignText } from '../../shared/codec/foreign-text.ts';
import { fail, isErrorCode, mayTell, type BlindflashError } from '../../shared/errors/errors.ts';

/** Of a vendor's own words, characters. */
const MOST_SAID = 120;

/** The vendor's reason, told as his; so is a code that is not his to say, or of a newer version. */
export function vendorError({
  code,
  detail,
}: {
  readonly code: string;
  readonly detail: ForeignText;
}): BlindflashError {
  const text = quotable(detail, MOST_SAID);
  const said = text === '' ? 'the vendor says so' : `the vendor says: “${text}”`;
  return isErrorCode(code) && mayTell('vendor', code) ? fail(code, said) : fail('BF-TUNNEL-CLOSED', `${code}; ${said}`);
}
