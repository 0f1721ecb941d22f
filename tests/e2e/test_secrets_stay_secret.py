"""No key, token or content in any log line, at debug level, of everything that these tests did."""

from installation import Installation
from moodle_simulator.owners import DEMO_TOKEN
from openai import AuthenticationError
from threadworks import demo

FOREIGN_KEY = "sk-somebody-elses-secret-key-000000001234"


async def test_logs_hold_no_secret(installation: Installation) -> None:
    client = installation.client()
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=demo.ASSISTANT,
        thread={"messages": [{"role": "user", "content": "gib mir die termine, mein geheimnis ist Zwiebelkuchen"}]},
    )
    assert run.status == "completed"
    stranger = installation.client(FOREIGN_KEY)
    try:
        await stranger.beta.assistants.list()
    except AuthenticationError as error:
        assert FOREIGN_KEY not in str(error)
        assert "1234" in str(error), "the end of the key helps to recognise it"
    else:
        raise AssertionError("a foreign key was taken")
    logs = installation.logs()
    assert "level" in logs, "there are logs to look at"
    for secret in (FOREIGN_KEY, f"Bearer {demo.KEY}", DEMO_TOKEN, "Zwiebelkuchen", "wstoken="):
        held = [line for line in logs.splitlines() if secret in line]
        # The simulator names its own token when it starts: it is a word of the demo and opens nothing else.
        held = [line for line in held if "the token of the demo account" not in line]
        assert held == [], secret
    assert logs.count(demo.KEY) == 1, "only the ready line names the demo key"
