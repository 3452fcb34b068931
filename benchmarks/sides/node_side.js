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

function makeQueue(leaseS) {
  const settings = leaseS ? { lockDuration: leaseS * 1000, stalledInterval: leaseS * 1000 } : {};
  if (library === 'bull') {
    return new (require('bull'))(NAME, { redis: { ...connection, maxRetriesPerRequest: 20 }, settings });
  }
  return new (require('bullmq').Queue)(NAME, { connection });
}

async function addMany(queue, count, data, options) {
  for (let left = count; left > 0; left -= BATCH) {
    await queue.addBulk(Array.from({ length: Math.min(BATCH, left) }, () => ({ name: 'run', data, opts: options })));
  }
}

async function produce() {
  const queue = makeQueue();
  await (library === 'bull' ? queue.isReady() : queue.waitUntilReady());
  say({ is_ready: true });
  for (;;) {
    const { do: what, count = 1, data, delay_s: delayS = 0, delays_s: delaysS = [] } = await next();
    const dueS = [];
    const begunS = nowS(), begunCpuS = cpuS();
    if (what === 'many') {
      await addMany(queue, count, data, OPTIONS);
    } else if (what === 'many_delayed') {
      await addMany(queue, count, data, { ...OPTIONS, delay: Math.round(delayS * 1000) });
    } else if (what === 'delayed') {
      for (let n = 0; n < delaysS.length; n += 1) {
        dueS.push(nowS() + delaysS[n]);
        await queue.add('run', { ...data, n }, { ...OPTIONS, delay: Math.round(delaysS[n] * 1000) });
      }
    } else {
      for (let i = 0; i < count; i += 1) await queue.add('run', data, OPTIONS);
    }
    say({ begun_s: begunS, seconds: nowS() - begunS, cpu_s: cpuS() - begunCpuS, due_s: dueS });
  }
}

const forEver = () => new Promise(() => {});

function makeTelling({ is_hanging: isHanging }) {
  return async (job) => {
    say({ started_s: nowS(), n: job.data.n ?? null });
    if (isHanging) await forEver();
  };
}

function makeCounting({ warm_up: warmUp, count }) {
  let handled = 0, begunS = 0, begunCpuS = 0;
  return async () => {
    const now = nowS();
    handled += 1;
    if (handled === warmUp) {
      say({ is_warm: true });
      await next();
      begunS = nowS();
      begunCpuS = cpuS();
    } else if (handled === warmUp + count) {
      say({ seconds: now - begunS, cpu_s: cpuS() - begunCpuS });
      // However many more wait: what is counted after this is what so many took.
      await forEver();
    }
  };
}

// Many workers: all hold one job each while the counters are read, before and after.
function makeCrowd({ warm_up: warmUp, count, workers }) {
  const firstFree = warmUp + workers, end = firstFree + count;
  let handled = 0, begunS = 0, begunCpuS = 0, letGo;
  const go = new Promise((resolve) => { letGo = resolve; });
  return async () => {
    const now = nowS();
    const number = handled += 1;
    if (number >= warmUp && number < firstFree) {
      if (number === firstFree - 1) {
        say({ is_warm: true });
        await next();
        begunS = nowS();
        begunCpuS = cpuS();
        letGo();
      }
      await go;
    } else if (number >= end) {
      if (number === end + workers - 1) say({ seconds: now - begunS, cpu_s: cpuS() - begunCpuS });
      await forEver();
    }
  };
}

// Connects; what it returns begins to work.
async function makeWorker(handle, leaseS) {
  if (library === 'bull') {
    const queue = makeQueue(leaseS);
    await queue.isReady();
    return () => queue.process('run', 1, handle);
  }
  const times = leaseS ? { lockDuration: leaseS * 1000, stalledInterval: leaseS * 1000 } : {};
  const worker = new (require('bullmq').Worker)(NAME, handle, { connection, concurrency: 1, autorun: false, ...times });
  await worker.waitUntilReady();
  return () => worker.run();
}

async function work() {
  const order = await next();
  const make = order.is_telling ? makeTelling : order.workers ? makeCrowd : makeCounting;
  const handle = make(order);
  const begin = [];
  for (let i = 0; i < (order.workers || 1); i += 1) begin.push(await makeWorker(handle, order.lease_s));
  // Before the first job: that is told too.
  say({ is_ready: true });
  for (const each of begin) each();
}

(role === 'produce' ? produce() : work()).catch((error) => { console.error(error); process.exit(1); });
