// Real firmware files, not kept here: where each comes from, which tool chain wrote it, under which licence, and what
// intelhex, srec_cat and objcopy alike say it holds (readers.py). README.md says how to get them.

/** A package of Debian or npm that holds some of them. */
interface FirmwarePackage {
  readonly from: 'Debian' | 'npm';
  readonly version: string;
  readonly licence: string;
}

/** By name. */
export const FIRMWARE_PACKAGES = {
  'arduino-core-avr': { from: 'Debian', version: '1.8.7+dfsg-1~deb12u1', licence: 'LGPL-2.1+, GPL-2+' },
  'arduino-mighty-1284p': { from: 'Debian', version: '1-5', licence: 'GPL-3+' },
  mcu8051ide: { from: 'Debian', version: '1.4.9-2', licence: 'GPL-2+' },
  mspdebug: { from: 'Debian', version: '0.22-2+b3', licence: 'GPL-2+; the file TI’s' },
  'firmware-microbit-micropython': { from: 'Debian', version: '1.0.1-4', licence: 'MIT, Nordic' },
  'hdmi2usb-fx2-firmware': { from: 'Debian', version: '0.0.0~git20151225-3', licence: 'GPL-3+' },
  brickos: { from: 'Debian', version: '0.9.0.dfsg-12.2', licence: 'MPL-1.1' },
  'firmware-tomu': { from: 'Debian', version: '2.0~rc7-2', licence: 'Expat, GPL-3+, BSD-2-clause' },
  'pxt-microbit': { from: 'npm', version: '9.1.1', licence: 'MIT, Nordic' },
  'node-pixel': { from: 'npm', version: '0.11.0', licence: 'MIT' },
  'avrgirl-arduino': { from: 'npm', version: '5.0.1', licence: 'MIT' },
} as const satisfies Record<string, FirmwarePackage>;

export interface RealFile {
  /** Name of the package, and of the folder it is unpacked in. */
  readonly source: keyof typeof FIRMWARE_PACKAGES;
  readonly path: string;
  readonly format: 'hex' | 'srec' | 'elf';
  readonly toolChain: string;
  /** First address, and first behind the last. */
  readonly from: number;
  readonly end: number;
  readonly runs: number;
  /** Filled up to words with FF. */
  readonly bytes: number;
  /** Over address 4 ‖ length 4 ‖ bytes of each run. */
  readonly sha256: string;
}

/** By the ending of the name; hex under all others. */
const FORMATS = ['srec', 'elf'] as const;

type Row = readonly [path: string, from: number, end: number, runs: number, bytes: number, sha256: string];

function rows(source: RealFile['source'], toolChain: string, folder: string, files: readonly Row[]): RealFile[] {
  return files.map(([path, from, end, runs, bytes, sha256]) => ({
    source,
    path: `${folder}${path}`,
    format: FORMATS.find((format) => path.endsWith(`.${format}`)) ?? 'hex',
    toolChain,
    from,
    end,
    runs,
    bytes,
    sha256,
  }));
}

export const REAL_FILES: readonly RealFile[] = [
  ...rows(
    'arduino-core-avr',
    'avr-gcc of WinAVR (boot loaders)',
    'usr/share/arduino/hardware/arduino/avr/bootloaders/atmega/',
    [
      [
        'ATmegaBOOT_168_atmega1280.hex',
        0x1f000,
        0x1f898,
        1,
        2200,
        'e63e5e9474dbf21fcd4d7ebf5935b3b863568ce0d46150c36d58b8b2c692f955',
      ],
      [
        'ATmegaBOOT_168_atmega328.hex',
        0x7800,
        0x7dc8,
        1,
        1480,
        '0f605a1ac3e199426d0af5db351e2fd93231c3970233e0a73ed9112391b690fd',
      ],
      [
        'ATmegaBOOT_168_atmega328_notp.hex',
        0x7800,
        0x7dc8,
        1,
        1480,
        'e23fec76a0728f5bc14d682fa4a278e8dcdb1db2f615d942f70ab7d57117eb21',
      ],
      [
        'ATmegaBOOT_168_atmega328_pro_8MHz.hex',
        0x7800,
        0x7dd0,
        1,
        1488,
        'b1e09c18885a5fba46ee5eb4a4647a95ed2b0825361af02177ee0398ea5a955c',
      ],
      [
        'ATmegaBOOT_168_diecimila.hex',
        0x3800,
        0x3dc8,
        1,
        1480,
        '3efa7bcf9ea4533549bfaa71f4059c171ace414a54e59dcdfeeb9d35ea14df68',
      ],
      [
        'ATmegaBOOT_168_lilypad.hex',
        0x3800,
        0x3dc8,
        1,
        1480,
        '8d999ff718d448b22e5dec57c467b56d5f1db06f29ff475f0eafe61b9aea52b4',
      ],
      [
        'ATmegaBOOT_168_lilypad_resonator.hex',
        0x3800,
        0x3dc8,
        1,
        1480,
        '55c92f180d4237743fd3f52b9b4b44c04f0dbf2aa5e7b5d0a3699ea8a3d4980e',
      ],
      [
        'ATmegaBOOT_168_ng.hex',
        0x3800,
        0x3dc8,
        1,
        1480,
        '7208b1f2d2f5314b277aaa0aee43d7de1d61b04b61515d71fc9b1ce4e2c46637',
      ],
      [
        'ATmegaBOOT_168_pro_16MHz.hex',
        0x3800,
        0x3df4,
        1,
        1524,
        '07ec0ba6415c1ed14a41eaf6606f5c589c7be97c4269cf0de9fa0ce1d3e9104f',
      ],
      [
        'ATmegaBOOT_168_pro_20mhz.hex',
        0x3800,
        0x3df4,
        1,
        1524,
        '233f7d2e590cf764ca5d8c74a073e1c7f05e22e557e01c3251d9e9ae6e85acb2',
      ],
    ],
  ),
  ...rows('arduino-mighty-1284p', 'avr-gcc (boot loaders)', 'usr/share/arduino/hardware/mighty-1284p/bootloaders/', [
    [
      'optiboot/optiboot_atmega1284p.hex',
      0x0,
      0x1fe00,
      2,
      516,
      '35c8e72a110ee34e2845f14cd97e4e84a6ebbbd45ce75fda7861082b2a531b25',
    ],
    [
      'standard/ATmegaBOOT_1284P.hex',
      0x1f800,
      0x1ff08,
      1,
      1800,
      '39ad16383bbed7fc49f640645a18b0ee9ecc50639890806e0c56cf1277498108',
    ],
  ]),
  ...rows('mcu8051ide', 'the assembler of MCU 8051 IDE', 'usr/share/mcu8051ide/demo/', [
    ['LCD.hex', 0x0, 0x6c, 1, 108, '88f1b059f3328cc8b4a86614199bd08f0d2227f4bab03981572d4319a7566fe2'],
    ['demo0.hex', 0x0, 0xc, 1, 12, '07b6adc0b6fdeb3f78dce2ffcf887bc5bf9d4a7a61b8522c5134798bd62a412e'],
    ['demo1.hex', 0x0, 0x200, 2, 36, '6929927103b6185790ab528dfb0bfb5f3eb356ca5f45380b15961183e072abd0'],
    ['demo2.hex', 0x0, 0xec, 3, 72, '1c35f865f8e1ca7da713886d27649057345ad37c3c579b3ac84efd0eb1411018'],
    ['demo4.hex', 0x0, 0x54, 1, 84, '1b1de4cdcdad354372a77d8c45bc7f754d05d86d759212801bd2cae50e8e62c2'],
    ['demo5.hex', 0x0, 0x4, 1, 4, 'e8f4c12955b44b4213f80570f28465e999952e0b40ea70ee508462fd920b1abb'],
    ['file.hex', 0x0, 0x24, 2, 8, 'eabfc6221d9fe1dfbe472ffdc9feb91c3030052527591db4e866d90029bd4427'],
    ['mleddisplay.hex', 0x0, 0x4c, 1, 76, 'ac10989416ae114309e2974e9c5b6b04d4fd7d39f11267d87775a091fe372d2c'],
  ]),
  ...rows('mcu8051ide', 'SDCC', 'usr/share/mcu8051ide/demo/', [
    ['demo_c_0.ihx', 0x0, 0xd0, 1, 208, '21e692242898d6cedb94657aa2f36307160279f84cbe75d0a693a003a630ad00'],
    ['keypad_display.ihx', 0x0, 0x130, 1, 304, '6148b56297a3c27ea3259ec927c08453bf93e5fe2b42e90587dd4e212b3e3e15'],
    ['ledmatrix.ihx', 0x0, 0xb0, 1, 176, '26942a33c425f35c97a43cd64516d4cec3478c5c8d93ffd350a98498307f2388'],
  ]),
  ...rows('mspdebug', 'unknown (8051)', 'usr/lib/mspdebug/', [
    ['ti_3410.fw.ihex', 0x0, 0x35c8, 1, 13768, '8e83cd8150196ff3da7cbf6ea3d2e293074039baf574b60ec1827221a05c5364'],
  ]),
  ...rows(
    'firmware-microbit-micropython',
    'arm-none-eabi-gcc with Nordic’s soft device of armcc, by srec_cat',
    'usr/share/firmware-microbit-micropython/',
    [['firmware.hex', 0x0, 0x100010dc, 2, 243880, '9a6f0c92422d73b84c303cda105fdde1b9f5fd2d5d731c9204852fda9d746b25']],
  ),
  ...rows('hdmi2usb-fx2-firmware', 'SDCC', 'lib/firmware/opsis-fx2/', [
    ['eeprom.ihx', 0x0, 0x3fb8, 12, 6856, 'f74870344e4ec5c3de423f36f0b1e678e4718d3a202d12ae22cf6e39db051c09'],
    ['usb-uart.ihx', 0x0, 0x3fb8, 11, 4960, 'e6fe82366acbfb675cb4fe807a4756c480cb94a1044328f70d53191402db6c6e'],
  ]),
  ...rows('brickos', 'h8300-hms-gcc (binutils), by objcopy', 'usr/lib/brickos/', [
    ['brickOS.srec', 0x8000, 0xab48, 1, 11080, '79da7255d39a8086d32f3e76d36ad826192eaf652cfbb273f10aaad7067a8ba2'],
  ]),
  ...rows('firmware-tomu', 'arm-none-eabi-gcc 7.3.1', 'usr/lib/firmware-tomu/', [
    ['toboot.elf', 0x0, 0x1620, 1, 5664, 'cd58a32d988ecb0f70dcbb1b3389fa3d70cc885eef3e0d7348d1a971b7bc3a3b'],
  ]),
  ...rows('pxt-microbit', 'arm-none-eabi-gcc with Nordic’s soft device of armcc, by MakeCode', 'built/hexcache/', [
    [
      '354b97da4696027afdaa3977420ec181bfc88a2faa2d2c0174842767718551e7.hex',
      0x0,
      0x1000101c,
      6,
      315608,
      '1f0dab8ca87d35989d3aa3ee5bff898c322e11ca86d8f5144b40417baa21dd92',
    ],
    [
      '4cc31a5b0ac4adb3d5f3ad2b5b0b6910e433f8916877817a868a9fac43374baf.hex',
      0x0,
      0x10001018,
      6,
      232496,
      'e38538d0a743f9ae6b4615c6694bfd082aee6fc2fb064b203cb76c1f677c04dd',
    ],
    [
      '8b83cd59cf0f3a3492a7dae238295225690d07132e61396c74a600de815e5dc2.hex',
      0x0,
      0x1000101c,
      6,
      325224,
      '9dbd159ec71a6ca509163294cffff290bbaafa468ad4614cebd006ded77e88a2',
    ],
    [
      '949fbd03bf2de1d4bf409bb1e68613a9d8745ca0bbafef44aa472a60ef9c0f73.hex',
      0x0,
      0x10001018,
      6,
      224032,
      'b3500d02344a2c018c1a1810e6094fffa9defeef492846ae67bad0e29c621a10',
    ],
  ]),
  ...rows('node-pixel', 'avr-gcc of Arduino 1.6', 'firmware/bin/backpack/', [
    [
      'diecimila/backpack.ino.hex',
      0x0,
      0x1158,
      1,
      4440,
      'a9be8fccb38ac039f2fd69d1f40796f51648345c43871e19858ae0012e6f0bf1',
    ],
    [
      'leonardo/backpack.ino.hex',
      0x0,
      0x1cfc,
      1,
      7420,
      '86ecd8b5856452df896d9d1212cb96a36cea83d90404d5d5bd686b11424d6f83',
    ],
    ['mega/backpack.ino.hex', 0x0, 0x13f4, 1, 5108, '14d870690673b8b428cd7c66a0b7556ce515327e3fd75980482a38d665bb6946'],
  ]),
  ...rows('avrgirl-arduino', 'avr-gcc of Arduino 1.0', 'junk/hex/', [
    [
      'arduboy/rund.cpp.leonardo.hex',
      0x0,
      0x3a74,
      1,
      14964,
      '3500139840947ef080554fd0517cea514b16db9abf87bf7749901acff80eb8b2',
    ],
    [
      'circuit-playground-classic/Blink.cpp.hex',
      0x0,
      0x1018,
      1,
      4120,
      'f552814ecb11a5eea3d001d69466d839da212bc50b731b8673e789a92bd921ec',
    ],
    [
      'duemilanove328/Blink.cpp.hex',
      0x0,
      0x3a0,
      1,
      928,
      '820a154866cef92577128e1b3708903dce8387f76385a2f58527389734cc5f9a',
    ],
    ['feather/Blink.cpp.hex', 0x0, 0x1288, 1, 4744, '5b3e0843a90ec639d43ac7577783fae504b0fae1ef850e6f96d57b2cea328c85'],
    [
      'leonardo/StandardFirmata.cpp.hex',
      0x0,
      0x3e18,
      1,
      15896,
      '0884295e0c5b0fbf25b32a9f7d79852ab3a10c31a90f0d9a630087116e75475f',
    ],
    [
      'mega/StandardFirmata.cpp.hex',
      0x0,
      0x3d80,
      1,
      15744,
      'c85d65f4655ccb3cbad7628af680b40d3427248076e887cdd58a257d91514d98',
    ],
    [
      'nano/StandardFirmata.cpp.hex',
      0x0,
      0x2e98,
      1,
      11928,
      '26b462a056bc7f6b250d61c4f0f3118fe22e43a248493abc5dddb29faa53940a',
    ],
    [
      'pro-mini/Blink-3v.cpp.hex',
      0x0,
      0x408,
      1,
      1032,
      '47b9364be2b58ff96ddf63d223d466cd090320c818d68dc49f44a8f658ce6fab',
    ],
    [
      'sf-pro-micro/Blink-5v.cpp.hex',
      0x0,
      0x12a8,
      1,
      4776,
      '8c79ba9fd042577e652a946ab714b9210e98915e1249ee1fe44eabbe7861ee1c',
    ],
  ]),
];
