"""What can go wrong with a look-up."""

from collections.abc import Sequence

from crm_kit.errors import Conflict, Text

from gateway.features.customers.schemas import Candidate


class SeveralCustomers(Conflict):
    code = "several_customers"
    title = Text("Several customers match", "有多个客户匹配")

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        super().__init__(
            Text(
                "Choose one of the candidates and read it by its id.",
                "请从 candidates 中选择一个，并按其 id 读取。",
            ),
            members={"candidates": list(candidates)},
        )
