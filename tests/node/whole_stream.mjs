// createAndRunStream with every listener, from the first event to the end of the run.
import { asks, client, given, listen, tell } from './harness.mjs';

const stream = client.beta.threads.createAndRunStream({ assistant_id: given.assistant, thread: asks(given.question) });
const notes = listen(stream);
const run = await stream.finalRun();
tell({ notes, run, messages: await stream.finalMessages(), steps: await stream.finalRunSteps() });
