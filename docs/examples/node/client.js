// Order an extract, wait for it, save it. Knows nothing of rosq but its .proto files.
//
//   npm install && node client.js 77:01:0001001:1001 extract.zip
//
// ORDERS_SERVICE_HOST and ORDERS_SERVICE_PORT say where the service is (127.0.0.1:5003).
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
const call = (method, request) => new Promise((resolve, reject) =>
  client[method](request, { deadline: Date.now() + 10_000 }, (error, reply) => (error ? reject(error) : resolve(reply))));

const FINAL = ["ORDER_STATE_COMPLETED", "ORDER_STATE_FAILED", "ORDER_STATE_CANCELLED"];

async function main(cadNum, file) {
  const idempotencyKey = process.env.IDEMPOTENCY_KEY || "";
  const created = await call("CreateOrders", { orders: [{ cad_num: cadNum, idempotency_key: idempotencyKey }] });
  const id = created.orders[0].order.id;
  console.log(`order ${id}: ${created.orders[0].order.status}`);

  const deadline = Date.now() + Number(process.env.WAIT_S || 120) * 1000;
  let order = created.orders[0].order;
  while (!FINAL.includes(order.state)) {
    if (Date.now() > deadline) throw new Error(`order ${id} is still «${order.status}»`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const next = (await call("GetOrder", { id })).order;
    if (next.status !== order.status) console.log(`order ${id}: ${next.status}`);
    order = next;
  }
  if (order.state !== "ORDER_STATE_COMPLETED") throw new Error(`order ${id}: ${order.status}`);

  await new Promise((resolve, reject) => {
    const out = fs.createWriteStream(file);
    const stream = client.DownloadExtract({ order_id: id });
    stream.on("data", (part) => {
      if (part.header) console.log(`extract ${part.header.file_name}, ${part.header.size_bytes} bytes`);
      else out.write(part.chunk);
    });
    stream.on("error", reject);
    stream.on("end", () => out.end(resolve));
  });
  console.log(`saved ${file}`);
}

const [cadNum, file] = process.argv.slice(2);
if (!cadNum || !file) {
  console.error("usage: node client.js CADASTRAL_NUMBER FILE");
  process.exit(2);
}
main(cadNum, file).then(() => process.exit(0), (error) => {
  console.error(error.details || error.message);
  process.exit(1);
});
