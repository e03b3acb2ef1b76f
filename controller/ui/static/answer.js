// What the server says in words where it does not give what was asked for.

const LONGEST = 400; // characters; a page of some proxy is no sentence

export async function said(answer) {
  const text = answer.headers.get("Content-Type")?.startsWith("text/plain") ? (await answer.text()).trim() : "";
  return text && text.length <= LONGEST ? text : `the server answered ${answer.status} ${answer.statusText}`.trim();
}

// Seconds after which it wants to be asked again; 0 where it does not say.
export function again(answer) {
  const seconds = Number(answer.headers.get("Retry-After"));
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
}
