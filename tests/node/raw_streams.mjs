// Streams read event by event: a run that is cancelled in the middle, one that fails, one that its reader leaves.
import { asks, client, given, refusal, release, tell } from './harness.mjs';

const { threads } = client.beta;
const told = {};

const cancelled = await threads.createAndRun({ assistant_id: given.assistant, thread: asks(given.halves), stream: true });
told.cancelled = [];
for await (const event of cancelled) {
  told.cancelled.push(event);
  if (event.event === 'thread.message.delta') {
    const [thread, run] = told.cancelled;
    told.cancel = await threads.runs.cancel(run.data.id, { thread_id: thread.data.id });
  }
}

const failed = await threads.createAndRun({ assistant_id: given.assistant, thread: asks(given.fails), stream: true });
told.failed = [];
for await (const event of failed) told.failed.push(event);

const thread = await threads.create(asks(given.left));
const left = await threads.runs.create(thread.id, { assistant_id: given.assistant, stream: true });
let runId;
for await (const event of left) {
  runId ??= event.data.id;
  if (event.event === 'thread.message.delta') break;
}
await release(given.gate);
told.left = await threads.runs.poll(runId, { thread_id: thread.id });
told.leftMessage = (await threads.messages.list(thread.id)).data[0];

told.refused = await refusal(() => threads.runs.create('thread_nobody', { assistant_id: given.assistant, stream: true }));
const helper = threads.runs.stream('thread_nobody', { assistant_id: given.assistant });
told.refusedHelper = await refusal(() => helper.finalRun());
tell(told);
