"""An ordinary Django REST framework: ModelViewSet and ModelSerializer, as its tutorial has them."""

import os
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.reference.settings")
application = get_wsgi_application()

from django.conf import settings  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from rest_framework.filters import SearchFilter  # noqa: E402
from rest_framework.pagination import CursorPagination  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.routers import SimpleRouter  # noqa: E402
from rest_framework.serializers import CharField, ModelSerializer, UUIDField  # noqa: E402
from rest_framework.viewsets import ModelViewSet  # noqa: E402

from bench.reference.models import Contact, Deal, DealContact  # noqa: E402
from bench.reference.sizes import size  # noqa: E402

settings.ROOT_URLCONF = __name__
HIDDEN = ("search_text", "sort_name")


class Newest(CursorPagination):
    """Without a count, as ours."""

    page_size = 50
    ordering = ("-created_at", "-id")


class LinkSerializer(ModelSerializer[DealContact]):
    id = UUIDField(source="contact_id")
    title = CharField(source="contact.name")

    class Meta:
        model = DealContact
        fields = ("id", "role", "title")


class DealSerializer(ModelSerializer[Deal]):
    contacts = LinkSerializer(source="contact_links", many=True, read_only=True)

    class Meta:
        model = Deal
        exclude = HIDDEN
        read_only_fields = ("stage_entered_at",)


class ContactSerializer(ModelSerializer[Contact]):
    class Meta:
        model = Contact
        exclude = HIDDEN


class SizedViewSet(ModelViewSet[Any]):
    pagination_class = Newest

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        size.set(kwargs["size"])
        super().initial(request, *args, **kwargs)


class DealViewSet(SizedViewSet):
    queryset = Deal.objects.filter(deleted_at__isnull=True).prefetch_related("contact_links__contact")
    serializer_class = DealSerializer


class ContactViewSet(SizedViewSet):
    queryset = Contact.objects.filter(deleted_at__isnull=True)
    serializer_class = ContactSerializer
    filter_backends = (SearchFilter,)
    search_fields = ("name", "emails", "phones")


router = SimpleRouter(trailing_slash=False)
router.register("deals", DealViewSet)
router.register("contacts", ContactViewSet)
urlpatterns = [
    path("<str:size>/ready", lambda request, size: HttpResponse()),
    path("<str:size>/", include(router.urls)),
]
