// Order an extract, wait for it, save it. Knows nothing of rosq but its .proto files.
//
//   npm install && node client.js 77:01:0001001:1001 extract.zip
//
// The same command again orders nothing twice: the order's key is IDEMPOTENCY_KEY, or else made of number and file.
// ORDERS_SERVICE_HOST and ORDERS_SERVICE_PORT say where the service is (127.0.0.1:5003), ORDERS_SERVICE_TOKEN who calls, where it asks.
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const protoDir = process.env.PROTO_DIR || path.join(__dirname, "..", "..", "..", "proto");
const definition = loader.loadSync("orders_service/v1/orders.proto", {
  includeDirs: [protoDir], keepCase: true, longs: String, enums: String, oneofs: true,
});
const { OrdersService } = grpc.loadPackageDefinition(definition).orders_service.v1;

const address = `${process.env.ORDERS_SERVICE_HOST || "127.0.0.1"}:${process.env.ORDERS_SERVICE_PORT || 5003}`;
const client = new OrdersService(address, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
if (process.env.ORDERS_SERVICE_TOKEN) metadata.set("authorization", `Bearer ${process.env.ORDERS_SERVICE_TOKEN}`);
const call = (method, request) => new Promise((resolve, reject) =>
  client[method](request, metadata, { deadline: Date.now() + 10_000 }, (error, reply) => (error ? reject(error) : resolve(reply))));

// UNAVAILABLE and a deadline leave open whether the call was done. Every call may be repeated as it was sent.
const AGAIN = [grpc.status.UNAVAILABLE, grpc.status.DEADLINE_EXCEEDED];
async function repeated(method, request) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await call(method, request);
    } catch (error) {
      if (!AGAIN.includes(error.code) || tries === 5) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

const FINAL = ["ORDER_STATE_COMPLETED", "ORDER_STATE_FAILED", "ORDER_STATE_CANCELLED"];

async function main(cadNum, file) {
  const partial = `${file}.part`;
  fs.closeSync(fs.openSync(partial, "w")); // before anything is paid: a place that can't be written to is found out now

  const idempotencyKey = process.env.IDEMPOTENCY_KEY || `${cadNum} ${path.resolve(file)}`.slice(0, 200);
  const created = await repeated("CreateOrder", { order: { cad_num: cadNum, idempotency_key: idempotencyKey } });
  const id = created.order.order_id;
  console.log(`order ${id}: ${created.order.status}${created.is_existing ? " (it was there already)" : ""}`);

  const deadline = Date.now() + Number(process.env.WAIT_S || 120) * 1000;
  let order = created.order;
  while (!FINAL.includes(order.state)) {
    if (Date.now() > deadline) throw new Error(`order ${id} is still «${order.status}»`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const next = (await repeated("GetOrder", { order_id: id })).order;
    if (next.status !== order.status) console.log(`order ${id}: ${next.status}`);
    order = next;
  }
  if (order.state !== "ORDER_STATE_COMPLETED") throw new Error(`order ${id}: ${order.status}`);

  const digest = crypto.createHash("sha256");
  let header;
  await new Promise((resolve, reject) => {
    const out = fs.createWriteStream(partial);
    out.on("error", reject);
    const stream = client.DownloadPaper({ order_id: id }, metadata);
    stream.on("data", (part) => {
      if (part.header) header = part.header;
      else {
        digest.update(part.chunk);
        out.write(part.chunk);
      }
    });
    stream.on("error", reject);
    stream.on("end", () => out.end(resolve));
  });
  if (digest.digest("hex") !== header.sha256) throw new Error(`order ${id}: the file came damaged, run this again`);
  fs.renameSync(partial, file); // whole, or not there
  console.log(`saved ${file}: ${header.file_name}, ${header.size_bytes} bytes`);
}

const [cadNum, file] = process.argv.slice(2);
if (!cadNum || !file) {
  console.error("usage: node client.js CADASTRAL_NUMBER FILE");
  process.exit(2);
}
main(cadNum, file).then(() => process.exit(0), (error) => {
  fs.rmSync(`${file}.part`, { force: true });
  console.error(error.details || error.message);
  process.exit(1);
});
