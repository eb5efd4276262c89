"""What can go wrong with invoices besides their form."""

from crm_kit.errors import Conflict, Text


class InvoiceNumberTaken(Conflict):
    """Another invoice of the same source has this number; `invoice_id` names it."""

    code = "invoice_number_taken"
    title = Text("Another invoice of this source has this number", "该来源下已有相同编号的发票")


class InvoiceExternalIdTaken(Conflict):
    """Another invoice of the same source has this external id; `invoice_id` names it."""

    code = "invoice_external_id_taken"
    title = Text("Another invoice of this source has this external id", "该来源下已有相同外部标识的发票")
