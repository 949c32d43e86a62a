// The slice of the WebUSB surface the virtual probe offers; shapes as in the W3C draft and @types/w3c-web-usb.

export interface UsbEndpoint {
  readonly endpointNumber: number;
  readonly direction: 'in' | 'out';
  readonly type: 'bulk';
  readonly packetSize: number;
}

export interface UsbConfiguration {
  readonly configurationValue: number;
  readonly interfaces: readonly {
    readonly interfaceNumber: number;
    readonly alternate: { readonly endpoints: readonly UsbEndpoint[] };
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
  readonly status: 'ok' | 'stall' | 'babble';
  readonly data?: DataView;
}

export interface UsbOutResult {
  readonly status: 'ok' | 'stall';
  readonly bytesWritten: number;
}
