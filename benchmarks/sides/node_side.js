// Bull and BullMQ on Node, concurrency 1: `node node_side.js bull|bullmq produce|work URL`; side.py says what is spoken.
'use strict';
const readline = require('node:readline');

const [library, role, url] = process.argv.slice(2);
const NAME = 'bench';
const BATCH = 500;
const OPTIONS = { removeOnComplete: 1000 };
const say = (facts) => process.stdout.write(JSON.stringify(facts) + '\n');
const nowS = () => Number(process.hrtime.bigint()) / 1e9;
const cpuS = () => { const used = process.cpuUsage(); return (used.user + used.system) / 1e6; };

const waiting = [], lines = [];
const input = readline.createInterface({ input: process.stdin });
input.on('line', (line) => { const order = JSON.parse(line); waiting.length ? waiting.shift()(order) : lines.push(order); });
input.on('close', () => process.exit(0));
const next = () => (lines.length ? Promise.resolve(lines.shift()) : new Promise((resolve) => waiting.push(resolve)));

const address = new URL(url);
const connection = {
  host: address.hostname, port: Number(address.port), password: address.password || undefined,
  db: Number(address.pathname.slice(1) || 0), maxRetriesPerRequest: null,
};

function makeQueue() {
  if (library === 'bull') return new (require('bull'))(NAME, { redis: { ...connection, maxRetriesPerRequest: 20 } });
  return new (require('bullmq').Queue)(NAME, { connection });
}

async function produce() {
  const queue = makeQueue();
  await (library === 'bull' ? queue.isReady() : queue.waitUntilReady());
  say({ is_ready: true });
  for (;;) {
    const { do: what, count = 1, data } = await next();
    const begunS = nowS(), begunCpuS = cpuS();
    if (what === 'many') {
      for (let left = count; left > 0; left -= BATCH) {
        const jobs = Array.from({ length: Math.min(BATCH, left) }, () => ({ name: 'run', data, opts: OPTIONS }));
        await queue.addBulk(jobs);
      }
    } else {
      for (let i = 0; i < count; i += 1) await queue.add('run', data, OPTIONS);
    }
    say({ begun_s: begunS, seconds: nowS() - begunS, cpu_s: cpuS() - begunCpuS });
  }
}

async function work() {
  const { warm_up: warmUp = 0, count = 0, is_telling: isTelling = false } = await next();
  let handled = 0, begunS = 0, begunCpuS = 0;
  const handle = async () => {
    const now = nowS();
    if (isTelling) { say({ started_s: now }); return; }
    handled += 1;
    if (handled === warmUp) {
      say({ is_warm: true });
      await next();
      begunS = nowS();
      begunCpuS = cpuS();
    } else if (handled === warmUp + count) {
      say({ seconds: now - begunS, cpu_s: cpuS() - begunCpuS });
    }
  };
  if (library === 'bull') {
    const queue = makeQueue();
    await queue.isReady();
    queue.process('run', 1, handle);
  } else {
    const worker = new (require('bullmq').Worker)(NAME, handle, { connection, concurrency: 1 });
    await worker.waitUntilReady();
  }
  say({ is_ready: true });
}

(role === 'produce' ? produce() : work()).catch((error) => { console.error(error); process.exit(1); });
