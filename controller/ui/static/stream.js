// Server-sent events by fetch, which unlike EventSource can send a bearer token. Comes again when the stream ends.

import { again, said } from "./answer.js";
import { bearing } from "./enter.js";
import { sentence } from "./words.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15000;
const LONGEST_ASKED = 300; // s, of a pause that the server asks for
const SILENT = 45000; // the server says something every 15 s

// What makes going on useless: the page itself must be another. Thrown by `tell`.
export class Stop extends Error {}

// tell(event, data) for each event; status(word, sentence) for live, waiting, refused and stopped. Returns what ends it.
export function follow(token, tell, status) {
  const ending = new AbortController();
  run(token, tell, status, ending.signal);
  return () => ending.abort();
}

async function run(token, tell, status, ended) {
  let pause = FIRST_PAUSE;
  const take = (event, data) => {
    told(tell, event, data);
    pause = FIRST_PAUSE;
    status("live", "Live");
  };
  while (!ended.aborted) {
    let ending = new Later("The server ended the connection");
    try {
      await read(token, ended, take);
    } catch (error) {
      ending = error;
    }
    if (ended.aborted) return;
    if (ending instanceof Refused) return status("refused", ending.message);
    if (ending instanceof Stop) return status("stopped", sentence(ending.message));
    const wait = Math.max(1000 * (ending.seconds ?? 0), pause * (0.5 + Math.random() / 2)); // so that many pages do not come at once
    status("waiting", `${sentence(ending.message)}; next try in ${Math.max(1, Math.round(wait / 1000))} s`);
    await new Promise((resolve) => setTimeout(resolve, wait));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

class Refused extends Error {}

// Not now, and why; `seconds`: not before.
class Later extends Error {
  constructor(message, seconds = 0) {
    super(message);
    this.seconds = Math.min(seconds, LONGEST_ASKED);
  }
}

// What cannot be drawn now cannot be drawn by asking again: a map that is not of now must not look as if it were.
function told(tell, event, data) {
  try {
    tell(event, data);
  } catch (error) {
    if (error instanceof Stop || error instanceof Gap) throw error;
    console.error(error);
    throw new Stop(`this page cannot show what the server told (${error.message}); load it anew`);
  }
}

// A change that does not follow what is there; thrown by `tell`. All is told anew with the next connection.
export class Gap extends Error {}

async function read(token, ended, tell) {
  const silent = new AbortController();
  const late = () => silent.abort(new Later(`The server said nothing for ${SILENT / 1000} s`));
  let timer = setTimeout(late, SILENT);
  const abort = () => silent.abort();
  ended.addEventListener("abort", abort);
  try {
    const answer = await connected(token, silent.signal);
    if (answer.status === 401 || answer.status === 403) throw new Refused(await said(answer));
    if (!answer.ok) throw new Later(await said(answer), again(answer));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const parts = new Events(tell);
    for (;;) {
      const { value, done } = await piece(reader, silent.signal);
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(late, SILENT);
      parts.feed(value);
    }
  } finally {
    clearTimeout(timer);
    ended.removeEventListener("abort", abort);
    silent.abort(); // what was not read to its end is not read on
  }
}

// A browser's own words for a server that is not there differ and say little.
async function connected(token, signal) {
  try {
    return await fetch("api/events", { headers: bearing(token), cache: "no-store", signal });
  } catch (error) {
    throw error instanceof Later ? error : new Later("No connection");
  }
}

async function piece(reader, signal) {
  try {
    return await reader.read();
  } catch {
    throw signal.reason instanceof Later ? signal.reason : new Later("The connection broke");
  }
}

// Pieces of text in, events out. Only what our server writes: event, id and data on a line each.
export class Events {
  constructor(tell) {
    this.tell = tell;
    this.pieces = [];
  }

  feed(text) {
    let start = 0;
    for (;;) {
      // an end can lie across two pieces, which is looked for only where a piece begins with its second half
      if (start === 0 && text.startsWith("\n") && this.pieces.at(-1)?.endsWith("\n")) {
        this.emit(this.pieces.join(""));
        this.pieces = [];
        start = 1;
      }
      const end = text.indexOf("\n\n", start);
      if (end < 0) break;
      this.pieces.push(text.slice(start, end));
      this.emit(this.pieces.join(""));
      this.pieces = [];
      start = end + 2;
    }
    if (start < text.length) this.pieces.push(text.slice(start));
  }

  emit(text) {
    let event = "message";
    let data = "";
    for (const line of text.split("\n")) {
      if (line.startsWith("event: ")) event = line.slice(7);
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (data) this.tell(event, parsed(data));
  }
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new Later("What came is not what this server tells");
  }
}
