// Order an extract by REST, wait for it, save it. Node 18 or newer alone, no package.
//
//   node rest.mjs 77:01:0001001:1001 extract.zip
//
// ORDERS_SERVICE_URL says where the service is (http://127.0.0.1:5004), ORDERS_SERVICE_TOKEN who asks, where that is
// asked for. Run again with the same words it orders nothing twice: the order's key is made of them (IDEMPOTENCY_KEY: another).
import { createHash } from "node:crypto";
import { rename, stat, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const url = (process.env.ORDERS_SERVICE_URL || "http://127.0.0.1:5004").replace(/\/+$/, "");
const token = process.env.ORDERS_SERVICE_TOKEN;
const FINAL = ["ORDER_STATE_COMPLETED", "ORDER_STATE_FAILED", "ORDER_STATE_CANCELLED"];

// Sends a request, and sends it again as long as nobody knows what came of it: nothing is done twice.
async function ask(path, body) {
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { "Content-Type": "application/json" }) };
  const deadline = Date.now() + 60_000;
  for (;;) {
    let why, seconds = 1;
    try {
      const answer = await fetch(url + path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(60_000) });
      if (answer.ok) return answer;
      why = (await answer.json()).detail;
      if (![503, 504].includes(answer.status)) throw Object.assign(new Error(why), { isFinal: true });
      seconds = Number(answer.headers.get("retry-after") || 1);
    } catch (error) {
      if (error.isFinal) throw error;
      why = `${url} can't be reached: ${error.message}`;
    }
    if (Date.now() > deadline) throw new Error(why);
    await pause(seconds * 1000);
  }
}

const read = async (id) => (await (await ask(`/v1/orders/${id}`)).json()).order;

async function main(cadNum, target) {
  const folder = dirname(resolve(target));
  if (!(await stat(folder).catch(() => null))?.isDirectory()) throw new Error(`There is no folder ${folder}: nothing was ordered.`);
  const key = process.env.IDEMPOTENCY_KEY || `${cadNum} ${basename(target)}`;
  const accepted = (await (await ask("/v1/orders", { cad_num: cadNum, idempotency_key: key })).json()).order;
  console.log(`order ${accepted.order_id}: ${accepted.status}`);

  const deadline = Date.now() + Number(process.env.WAIT_S || 120) * 1000;
  let found = accepted;
  while (!FINAL.includes(found.state)) {
    if (Date.now() > deadline) throw new Error(`Order ${found.order_id} is «${found.status}» and goes on: run the same again later.`);
    await pause(1000);
    found = await read(found.order_id);
  }
  console.log(`order ${found.order_id}: ${found.status}`);
  if (found.state !== "ORDER_STATE_COMPLETED" && !found.papers.length) throw new Error(`There is no paper: ${found.status}`);

  const answer = await ask(`/v1/orders/${found.order_id}/paper`);
  const data = Buffer.from(await answer.arrayBuffer());
  const digest = createHash("sha256").update(data).digest("hex");
  if (`"${digest}"` !== answer.headers.get("etag")) throw new Error("The extract didn't arrive whole: run the same again.");
  await writeFile(`${target}.part`, data);
  await rename(`${target}.part`, target);
  console.log(`saved ${target}`);
}

const [cadNum, target] = process.argv.slice(2);
if (!target) {
  console.error("Usage: node rest.mjs CADASTRAL_NUMBER FILE");
  process.exitCode = 2;
} else {
  main(cadNum, target).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
