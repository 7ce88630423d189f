// Leaves beside the built panel what it was built from, so that a test without Node.js can tell a stale one.

const { createHash } = require('node:crypto');
const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const SOURCES = ['bundle.config.js', 'package-lock.json', 'package.json', 'src', 'style', 'tsconfig.json'];

function files(path) {
  try {
    return readdirSync(path).flatMap(name => files(join(path, name)));
  } catch {
    return [path];
  }
}

const digest = createHash('sha256');
for (const path of SOURCES.flatMap(files).sort()) {
  digest.update(`${path}\0`).update(readFileSync(path)).update('\0');
}
writeFileSync(join(process.argv[2], 'source.sha256'), `${digest.digest('hex')}\n`);
