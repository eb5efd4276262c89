"""Idempotency keys: whoever retries has one effect and one answer."""

import asyncio

from crm_testkit.conformance.sample import ResourceSuite, Subject, offering

_KEPT = ("etag", "location", "consistency-token", "content-type")


class RetryRules(ResourceSuite):
    @offering("create", "list")
    async def test_a_retry_gets_the_first_answer_again(self, subject: Subject) -> None:
        body = subject.body()
        # Bare, and as the draft's structured field says it: one key.
        first, *again = [
            await subject.client.post(subject.path, json=body, headers={"Idempotency-Key": key})
            for key in ("order-4711", "order-4711", '"order-4711"')
        ]
        assert first.status_code == 201
        assert "idempotent-replayed" not in first.headers
        for answer in again:
            assert (answer.status_code, answer.content) == (201, first.content)
            assert answer.headers["idempotent-replayed"] == "true"
            assert [answer.headers.get(name) for name in _KEPT] == [first.headers.get(name) for name in _KEPT]
        assert await subject.count() == 1

    @offering("create", "list")
    async def test_a_key_is_for_one_request_of_one_tenant(self, subject: Subject) -> None:
        headers = {"Idempotency-Key": "one"}
        assert (await subject.client.post(subject.path, json=subject.body(), headers=headers)).status_code == 201
        other = await subject.client.post(subject.path, json=subject.body(), headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        stranger = await subject.as_stranger()
        answer = await stranger.client.post(stranger.path, json=stranger.body(), headers=headers)
        assert (answer.status_code, "idempotent-replayed" in answer.headers) == (201, False)
        assert (await subject.count(), await stranger.count()) == (1, 1)

    @offering("create", "list")
    async def test_ten_at_once_have_one_effect(self, subject: Subject) -> None:
        body, headers = subject.body(), {"Idempotency-Key": "race"}

        async def send() -> tuple[int, bytes]:
            answer = await subject.client.post(subject.path, json=body, headers=headers)
            if answer.status_code == 409:
                assert answer.json()["code"] == "request_in_progress"
                assert answer.headers["retry-after"] == "1"
            return answer.status_code, answer.content

        answers = await asyncio.gather(*(send() for _ in range(10)))
        assert {status for status, _ in answers} <= {201, 409}
        assert len({content for status, content in answers if status == 201}) == 1
        assert await subject.count() == 1
        settled = await subject.client.post(subject.path, json=body, headers=headers)
        assert (settled.status_code, settled.headers["idempotent-replayed"]) == (201, "true")

    @offering("create", "list")
    async def test_a_request_that_failed_leaves_its_key_free(self, subject: Subject) -> None:
        headers = {"Idempotency-Key": "second-try"}
        failed = await subject.client.post(subject.path, json={**subject.body(), "no_such_member": 1}, headers=headers)
        assert failed.status_code == 422
        answer = await subject.client.post(subject.path, json=subject.body(), headers=headers)
        assert (answer.status_code, "idempotent-replayed" in answer.headers) == (201, False)

    @offering("create", "list")
    async def test_a_malformed_key_is_refused(self, subject: Subject) -> None:
        for key in ("", " ", '"open', "a b", "x" * 256, '""', "é"):
            answer = await subject.client.post(
                subject.path, json=subject.body(), headers={b"Idempotency-Key": key.encode()}
            )
            assert answer.status_code == 400, key
        two = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        assert (await subject.client.post(subject.path, json=subject.body(), headers=two)).status_code == 400
        assert await subject.count() == 0
