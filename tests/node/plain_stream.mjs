// runs.stream with every listener. The model waits at a gate until the first text was heard.
import { asks, client, given, listen, release, tell } from './harness.mjs';

const { threads } = client.beta;
const thread = await threads.create(asks(given.question));
const stream = threads.runs.stream(thread.id, { assistant_id: given.assistant, metadata: { a: 'b' } });
const notes = listen(stream);
stream.on('textDelta', (delta) => {
  if (delta.value === given.first) release(given.gate);
});
const run = await stream.finalRun();
const [messages, steps] = [await stream.finalMessages(), await stream.finalRunSteps()];
const current = { run: stream.currentRun().status, event: stream.currentEvent().event };
tell({ notes, run, messages, steps, current, stored: (await threads.messages.list(thread.id)).data[0] });
