// How sizes, names and times are written for people.

const GIB = 2 ** 30;

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "unknown";
  if (bytes >= 1024 * GIB) return `${trimmed(bytes / GIB / 1024)} TiB`;
  if (bytes >= GIB) return `${trimmed(bytes / GIB)} GiB`;
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

function trimmed(number) {
  return number >= 100 ? String(Math.round(number)) : String(Math.round(number * 10) / 10);
}

export function counted(count, noun, many = `${noun}s`) {
  return `${count} ${count === 1 ? noun : many}`;
}

// "meta-llama/Llama-3.1-8B-Instruct" is told by its last part; suffixes that most models have are left out.
export function shortModel(id) {
  if (!id) return "no model named";
  return id.slice(id.lastIndexOf("/") + 1).replace(/-(Instruct|Chat|it)\b/gi, "");
}

// For a few millimetres: how the name begins, and how large the model is.
export function tinyModel(id) {
  const name = shortModel(id);
  const large = /(?:^|[-_])(\d+(?:\.\d+)?(?:x\d+)?[bBmM])(?![a-z])/.exec(name)?.[1];
  return large ? `${name.slice(0, large.length > 2 ? 4 : 5).replace(/[-_].*/, "")} ${large}` : name.slice(0, 9);
}

export function gpuName(bdf) {
  return bdf.replace(/^0000:/, "");
}

export function ago(text, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(text)) / 1000);
  if (Number.isNaN(seconds)) return "";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} days`;
}

// The time of day where the reader is; the date too where it is another day.
export function clock(text) {
  const at = new Date(text);
  return at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString() : at.toLocaleString();
}

export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function spaced(word) {
  return word.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}
