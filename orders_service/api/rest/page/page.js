// Shows openapi.json and sends requests to the service that it came from. Asks no other host for anything.
"use strict";

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

let described;
const resolve = (schema) => (schema.$ref ? described.components.schemas[schema.$ref.split("/").pop()] : schema);

// A body to begin with: what is required, and one of each list.
function example(schema, depth = 0) {
  const found = resolve(schema);
  if (found.enum) return found.enum[Math.min(1, found.enum.length - 1)];
  if (found.type === "array") return depth > 4 ? [] : [example(found.items, depth + 1)];
  if (found.type === "object") {
    const names = found.required || Object.keys(found.properties || {});
    return Object.fromEntries(names.map((name) => [name, example(found.properties[name], depth + 1)]));
  }
  return { boolean: false, integer: 0, number: 0 }[found.type] ?? "";
}

function field(parameter) {
  const label = make("label");
  label.append(make("code", "", parameter.name), parameter.required ? " (required)" : "", make("small", "", parameter.description));
  const input = make("input");
  input.name = parameter.name;
  if (parameter.schema.type === "array") input.placeholder = "several, parted by commas";
  label.append(input);
  return { parameter, input, label };
}

async function send(verb, path, fields, body, shown) {
  const query = new URLSearchParams();
  let filled = path;
  for (const { parameter, input } of fields) {
    if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") {
      const values = parameter.schema.type === "array" ? input.value.split(",").map((value) => value.trim()) : [input.value];
      values.forEach((value) => query.append(parameter.name, value));
    }
  }
  const headers = {};
  const token = document.getElementById("token").value;
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  const address = `..${filled}${query.size ? `?${query}` : ""}`;
  try {
    const answer = await fetch(address, { method: verb, headers, body: body ? body.value : undefined });
    const type = answer.headers.get("content-type") || "";
    shown.textContent = `${answer.status} ${answer.statusText}\n`;
    if (type.includes("json")) shown.textContent += JSON.stringify(await answer.json(), null, 2);
    else {
      const file = await answer.blob();
      const link = make("a", "", `${file.size} bytes of ${type}: save`);
      link.href = URL.createObjectURL(file);
      link.download = "extract.zip";
      shown.append(link);
    }
  } catch (error) {
    shown.textContent = `No answer: ${error.message}`;
  }
}

function operation(verb, path, one) {
  const details = make("details");
  details.id = one.operationId;
  const summary = make("summary");
  summary.append(make("span", "verb", verb.toUpperCase()), make("code", "", path), make("span", "summary", one.summary));
  const inner = make("div");
  inner.append(make("p", "", one.description || ""));
  const fields = (one.parameters || []).map(field);
  fields.forEach(({ label }) => inner.append(label));
  let body = null;
  if (one.requestBody) {
    body = make("textarea");
    body.value = JSON.stringify(example(one.requestBody.content["application/json"].schema), null, 2);
    inner.append(make("label", "", "Body"), body);
  }
  const button = make("button", "", "Send");
  const shown = make("pre", "", "Not sent yet.");
  button.addEventListener("click", () => send(verb.toUpperCase(), path, fields, body, shown));
  inner.append(button, shown);
  details.append(summary, inner);
  return details;
}

async function start() {
  described = await (await fetch("../openapi.json")).json();
  const page = document.getElementById("page");
  page.replaceChildren(make("p", "", described.info.description));
  for (const tag of described.tags) {
    page.append(make("h2", "", tag.name), make("p", "", tag.description));
    for (const [path, verbs] of Object.entries(described.paths)) {
      for (const [verb, one] of Object.entries(verbs)) if (one.tags.includes(tag.name)) page.append(operation(verb, path, one));
    }
  }
}

start().catch((error) => { document.getElementById("page").textContent = `The page can't be shown: ${error.message}`; });
