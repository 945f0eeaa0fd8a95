"""Adapters: what each family of Cornac models holds of a user, and how an unseen user is scored."""

from cornac_mle.adapters.adapter import Adapter as Adapter
from cornac_mle.adapters.table import ADAPTERS as ADAPTERS
from cornac_mle.adapters.table import OTHERS as OTHERS
from cornac_mle.adapters.table import adapter_of as adapter_of
from cornac_mle.adapters.table import check_samplable as check_samplable
from cornac_mle.adapters.table import register as register
from cornac_mle.adapters.unseen import unseen_scores as unseen_scores
