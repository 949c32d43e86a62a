// Port: a USB device as probe drivers see it, the slice of the WebUSB surface they need. npm `usb` (node-usb.ts), the
// virtual probe and a browser's own WebUSB are such devices. Shapes: WebUSB draft (W3C), "USBDevice".

/** One endpoint as a WebUSB descriptor shows it. */
export interface UsbEndpointLike {
  readonly endpointNumber: number;
  readonly direction: 'in' | 'out';
  readonly type: string;
  readonly packetSize: number;
}

/** One configuration as a WebUSB descriptor shows it; `alternate` is the setting in force. */
export interface UsbConfigurationLike {
  readonly configurationValue: number;
  readonly interfaces: readonly {
    readonly interfaceNumber: number;
    readonly alternate: { readonly endpoints: readonly UsbEndpointLike[] };
  }[];
}

export interface UsbControlSetup {
  readonly requestType: 'standard' | 'class' | 'vendor';
  readonly recipient: 'device' | 'interface' | 'endpoint' | 'other';
  readonly request: number;
  readonly value: number;
  readonly index: number;
}

export interface UsbInResult {
  readonly status?: string;
  readonly data?: DataView;
}

export interface UsbOutResult {
  readonly status?: string;
  readonly bytesWritten: number;
}

/** The part of a WebUSB `USBDevice` we use: the same in Chromium, in npm `usb` and in the virtual probe. */
export interface UsbDeviceLike {
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber?: string | null | undefined;
  readonly configuration: UsbConfigurationLike | null | undefined;
  open(): Promise<void>;
  close(): Promise<void>;
  reset(): Promise<void>;
  selectConfiguration(value: number): Promise<void>;
  claimInterface(interfaceNumber: number): Promise<void>;
  releaseInterface(interfaceNumber: number): Promise<void>;
  transferOut(endpointNumber: number, bytes: Uint8Array): Promise<UsbOutResult>;
  transferIn(endpointNumber: number, length: number): Promise<UsbInResult>;
  controlTransferIn(setup: UsbControlSetup, length: number): Promise<UsbInResult>;
}
