// createAndRunStream until the client has to answer, then submitToolOutputsStream.
import { asks, client, given, listen, lookUp, tell } from './harness.mjs';

const { threads } = client.beta;
const asking = threads.createAndRunStream({ assistant_id: given.assistant, tools: [lookUp], thread: asks(given.question) });
const asked = listen(asking);
const waiting = await asking.finalRun();
const calls = waiting.required_action.submit_tool_outputs.tool_calls;
const answering = threads.runs.submitToolOutputsStream(waiting.id, {
  thread_id: waiting.thread_id,
  tool_outputs: calls.map((call) => ({ tool_call_id: call.id, output: `output of ${call.id}` })),
});
const answered = listen(answering);
const done = await answering.finalRun();
tell({ asked, waiting, answered, done, messages: await answering.finalMessages(), steps: await answering.finalRunSteps() });
