// What an installation of the package runs: the versions of the lock file, by hash; signatures as
// the registry gives them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { verdictOf } from '../../scripts/audit-signatures.mjs';
import { shrinkwrapOf, type LockFile } from '../../scripts/shrinkwrap.mjs';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const lock = JSON.parse(read('package-lock.json')) as LockFile;
const manifest = JSON.parse(read('package.json')) as {
  files: string[];
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
};

/** Where Node looks for a package, nearest first. */
function foundFrom(path: string, name: string): string[] {
  const parents = path
    .split('/node_modules/')
    .map((_, at, parts) => parts.slice(0, parts.length - at).join('/node_modules/'));
  return [...parents.map((parent) => `${parent}/node_modules/${name}`), `node_modules/${name}`];
}

describe('repository: the package’s shrinkwrap', () => {
  const { packages, ...head } = shrinkwrapOf(lock);

  it('pins every dependency of the package to the version and hash of the lock file', () => {
    assert.equal(head.lockfileVersion, 3);
    for (const name of Object.keys(manifest.dependencies)) assert.ok(`node_modules/${name}` in packages, name);
    for (const [path, entry] of Object.entries(packages)) {
      if (path === '') continue;
      assert.match(entry.integrity ?? '', /^sha512-/, path);
      assert.deepEqual(entry, lock.packages[path], path);
    }
  });

  it('holds what the dependencies need, and nothing of development', () => {
    const wanted = Object.keys(manifest.dependencies).map((name) => `node_modules/${name}`);
    for (const path of wanted) {
      for (const name of Object.keys(packages[path]?.dependencies ?? {})) {
        const place = foundFrom(path, name).find((each) => each in packages);
        assert.ok(place !== undefined, `${path} needs ${name}`);
        if (!wanted.includes(place)) wanted.push(place);
      }
    }
    assert.deepEqual(Object.keys(packages).sort(), ['', ...wanted].sort());
    assert.equal(packages['']?.devDependencies, undefined);
  });

  it('is refused when a package has no hash', () => {
    const { version } = lock.packages['node_modules/ws']!;
    const packagesWithout = { ...lock.packages, 'node_modules/ws': { version: version! } };
    assert.throws(() => shrinkwrapOf({ ...lock, packages: packagesWithout }), /node_modules\/ws has no hash/);
  });

  it('goes into the package and does not stay here', () => {
    assert.ok(manifest.files.includes('npm-shrinkwrap.json'));
    assert.equal(manifest.scripts['prepack'], 'node scripts/shrinkwrap.mjs write');
    assert.equal(manifest.scripts['postpack'], 'node scripts/shrinkwrap.mjs remove');
    assert.match(read('.gitignore'), /^npm-shrinkwrap\.json$/m);
  });
});

describe('repository: signatures of packages', () => {
  const passed = (report: unknown, status: number): boolean =>
    verdictOf(typeof report === 'string' ? report : JSON.stringify(report), status).passed;
  const row = { name: 'ws', version: '8.0.0' };

  it('fail when one is bad or missing, whatever else is said', () => {
    assert.ok(!passed({ invalid: [row], missing: [] }, 1));
    assert.ok(!passed({ invalid: [], missing: [row] }, 1));
    assert.ok(!passed({ invalid: [row], missing: [], error: { code: 'ENOTFOUND' } }, 1));
    assert.match(verdictOf(JSON.stringify({ invalid: [row], missing: [] }), 1).says, /ws@8\.0\.0/);
  });

  it('pass when all are right, or when no registry answers', () => {
    assert.ok(passed({ invalid: [], missing: [] }, 0));
    for (const code of ['ENOTFOUND', 'ECONNREFUSED', 'ETIMEDOUT', 'E404', 'E503']) {
      assert.ok(passed({ error: { code } }, 1), code);
    }
  });

  it('fail when npm does for another reason', () => {
    assert.ok(!passed({ error: { code: 'EINTEGRITY', summary: 'tarball data seems to be corrupted' } }, 1));
    assert.ok(!passed({ error: { code: 'E401', summary: 'not allowed' } }, 1));
    assert.ok(!passed('', 1));
    assert.ok(!passed({ invalid: [], missing: [] }, 1));
  });
});
