// The helpers that poll: createAndRunPoll, submitToolOutputsAndPoll, createAndPoll.
import { asks, client, collect, given, lookUp, tell, textsOf } from './harness.mjs';

const { threads } = client.beta;
const waiting = await threads.createAndRunPoll({ assistant_id: given.assistant, tools: [lookUp], thread: asks(given.question) });
const [call] = waiting.required_action.submit_tool_outputs.tool_calls;
const done = await threads.runs.submitToolOutputsAndPoll(waiting.id, {
  thread_id: waiting.thread_id,
  tool_outputs: [{ tool_call_id: call.id, output: 'found' }],
});
const again = await threads.runs.createAndPoll(waiting.thread_id, { assistant_id: given.assistant });
const messages = await collect(threads.messages.list(waiting.thread_id, { order: 'asc' }));
tell({ waiting, done, again, messages: messages.map((each) => [each.run_id, textsOf(each)]) });
