// The JavaScript calls of the quickstart document, word for word: `openai` and `thread` are what its reader has by then.
import { client, given, tell } from './harness.mjs';

const replies = [];
for (const snippet of given.snippets) {
  const call = new Function('openai', 'thread', `return ${snippet}`);
  replies.push(await call(client, replies[0]));
}
tell({ replies });
