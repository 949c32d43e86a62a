// The addons in npm `usb`, by SHA-256: what may be loaded into the agent. Written by scripts/usb-addons.ts.
export const USB_VERSION = '2.18.0';
export const USB_ADDONS: Readonly<Record<string, string>> = {
  'android-arm/node.napi.armv7.node': '4706ce39167e4e2332f5f0c13e69521866f151a6c9729d0227a5662607755d83',
  'android-arm64/node.napi.armv8.node': '51c70c3fb42d03c45e552e17801d73cdc97e26fc5af5d2174f3021b653356cd2',
  'darwin-x64+arm64/node.napi.node': '616509792b036bf1de8594752782bac76684048210a49ebe941e136d14fe99de',
  'linux-arm/node.napi.armv6.node': '92251fc4f90d7984e3c4f95b345c42d370301bef6aa09857fdd836828d67bf6d',
  'linux-arm/node.napi.armv7.node': 'f8bf975f023373ba20b1720f699243dbf51cd8905e2d4eefe06ea6c0ec5a3c1e',
  'linux-arm64/node.napi.armv8.node': '8203b7c04f8124f9cc8fa89f28322344f887e5037bcbfd2ba838ee5f098d3502',
  'linux-ia32/node.napi.node': '59163e9a8f15ef1c747cee8ee9b5eaf554e2665cb4e781bfca588de8fdcb234f',
  'linux-x64/node.napi.glibc.node': '6d49c433987f394e33af181bec4c1f921c9b71964cef0366b037f1668746bd96',
  'linux-x64/node.napi.musl.node': '2f03bd348f991d250a911fb65cca5225d37353fa3c7785aab1fdaad1c92fae4b',
  'win32-arm64/node.napi.node': '6448e3aa0bbe6b7fe6ef7df256e25bbe21983f42c25b9dfe6edb66439a92e579',
  'win32-ia32/node.napi.node': '9cbed3ae21915d0e2452e7723f80367077b3c35ff54c436bcc256d44ceeb1ff7',
  'win32-x64/node.napi.node': '0fdc907209aff7ee8723dfa8b22714f67d542c78905050cdc847fdde1a1d9115',
};
