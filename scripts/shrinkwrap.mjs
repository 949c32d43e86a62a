// The lock file as it goes into the package: npm installs exactly these versions, by hash, wherever Blindflash is
// installed from a registry (of a bare tarball it does not read the file).
// `prepack` writes npm-shrinkwrap.json and `postpack` removes it, because npm would take it for the
// lock file of this folder:
//   node scripts/shrinkwrap.mjs write | remove
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** Without what only development needs. Throws for a package that no hash pins. */
export function shrinkwrapOf(lock) {
  const packages = {};
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (entry.dev === true) continue;
    if (path !== '' && typeof entry.integrity !== 'string') throw new Error(`${path} has no hash in package-lock.json`);
    packages[path] = path === '' ? withoutDevelopment(entry) : entry;
  }
  return { ...lock, packages };
}

function withoutDevelopment(root) {
  return Object.fromEntries(Object.entries(root).filter(([name]) => name !== 'devDependencies'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === 'remove') {
    rmSync(at('npm-shrinkwrap.json'), { force: true });
  } else {
    const lock = JSON.parse(readFileSync(at('package-lock.json'), 'utf8'));
    writeFileSync(at('npm-shrinkwrap.json'), `${JSON.stringify(shrinkwrapOf(lock), undefined, 2)}\n`);
  }
}
