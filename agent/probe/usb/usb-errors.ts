// What libusb, npm `usb` and Chromium say when something is wrong, as our codes. docs/reference/stlink.md §1.4, §7.
import { BlindflashError, fail, type ErrorCode } from '../../../shared/errors/errors.ts';

interface UsbErrorRow {
  /** Found in the error's name or message. */
  readonly words: readonly string[];
  readonly code: ErrorCode;
  /** Where the same words mean another trouble. */
  readonly on?: Partial<Record<NodeJS.Platform, ErrorCode>>;
}

/** First match wins. "Access" on macOS and Windows means that another program or driver owns the interface. */
const USB_ERRORS: readonly UsbErrorRow[] = [
  {
    words: ['LIBUSB_ERROR_ACCESS', 'SecurityError', 'Access denied'],
    code: 'BF-PROBE-PERMISSION',
    on: { darwin: 'BF-PROBE-BUSY', win32: 'BF-PROBE-BUSY' },
  },
  {
    words: ['LIBUSB_ERROR_BUSY', 'Unable to claim interface'],
    code: 'BF-PROBE-BUSY',
    on: { win32: 'BF-PROBE-DRIVER' },
  },
  {
    words: ['LIBUSB_ERROR_NOT_SUPPORTED'],
    code: 'BF-PROBE-UNSUPPORTED',
    on: { win32: 'BF-PROBE-DRIVER' },
  },
  {
    words: [
      'LIBUSB_ERROR_NO_DEVICE',
      'LIBUSB_TRANSFER_NO_DEVICE',
      'LIBUSB_ERROR_NOT_FOUND',
      'NotFoundError',
      'disconnected',
    ],
    code: 'BF-PROBE-UNPLUGGED',
  },
  {
    words: ['LIBUSB_ERROR_TIMEOUT', 'LIBUSB_TRANSFER_TIMED_OUT', 'LIBUSB_TRANSFER_CANCELLED'],
    code: 'BF-PROBE-TIMEOUT',
  },
  {
    words: ['LIBUSB_TRANSFER_STALL', 'LIBUSB_TRANSFER_OVERFLOW', 'LIBUSB_ERROR_OVERFLOW', 'LIBUSB_ERROR_PIPE'],
    code: 'BF-PROBE-GARBAGE',
  },
];

/**
 * Any error of the USB layer as a coded one; coded ones pass through, unknown ones become `otherwise`.
 * @param platform `process.platform`, or 'linux' in a browser.
 */
export function usbError(
  error: unknown,
  platform: NodeJS.Platform,
  otherwise: ErrorCode = 'BF-PROBE-GARBAGE',
): BlindflashError {
  if (error instanceof BlindflashError) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const row = USB_ERRORS.find(({ words }) => words.some((word) => text.includes(word)));
  if (row === undefined) return fail(otherwise, text, error);
  return fail(row.on?.[platform] ?? row.code, text, error);
}
