"""What can go wrong with contacts besides their form."""

from crm_kit.errors import Conflict, Text


class ExternalIdTaken(Conflict):
    """Another contact has this id in that system; `contact_id` names it."""

    code = "external_id_taken"
    title = Text("Another contact has this external id", "该外部标识已属于另一个联系人")


class ProcessingRestricted(Conflict):
    """The person has had the processing of their data restricted (GDPR article 18): it is stored, and nothing else."""

    code = "processing_restricted"
    title = Text("The contact may not be changed", "该联系人的信息处理已被限制")
    advice = Text("Lift the restriction first: see /v1/privacy-requests.", "请先解除限制，见 /v1/privacy-requests。")
