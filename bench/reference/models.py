"""The same tables as ordinary Django models."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import UUID7
from django.utils import timezone


class Row(models.Model):
    objects: ClassVar[models.Manager[Any]] = models.Manager()

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    version = models.IntegerField(default=1, editable=False)
    is_sample = models.BooleanField(default=False, editable=False)
    search_text = models.TextField(default="", editable=False)
    sort_name = models.TextField(default="", editable=False)

    class Meta:
        abstract = True
        managed = False


class Member(models.Model):
    objects: ClassVar[models.Manager[Any]] = models.Manager()

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=120)
    email = models.EmailField()
    color = models.CharField(max_length=8)

    class Meta:
        managed = False
        db_table = "workspace_member"

    def __str__(self) -> str:
        return self.name


class Company(Row):
    name = models.CharField(max_length=200)

    class Meta(Row.Meta):
        db_table = "people_company"

    def __str__(self) -> str:
        return self.name


class Contact(Row):
    name = models.CharField(max_length=240)
    first_name = models.CharField(max_length=120, blank=True, default="")
    last_name = models.CharField(max_length=120, blank=True, default="")
    emails = models.JSONField(default=list, blank=True)
    phones = models.JSONField(default=list, blank=True)
    job = models.CharField(max_length=120, blank=True, default="")
    company = models.ForeignKey(Company, models.SET_NULL, null=True, blank=True)
    owner = models.ForeignKey(Member, models.PROTECT, null=True, blank=True)
    status = models.CharField(max_length=20, blank=True, default="")
    language = models.CharField(max_length=20, blank=True, default="")
    source = models.CharField(max_length=30, blank=True, default="")
    birthday = models.DateField(null=True, blank=True)

    class Meta(Row.Meta):
        db_table = "people_contact"

    def __str__(self) -> str:
        return self.name


class Pipeline(Row):
    name = models.CharField(max_length=100)
    is_default = models.BooleanField(default=False)
    position = models.IntegerField(default=0)

    class Meta(Row.Meta):
        db_table = "sales_pipeline"

    def __str__(self) -> str:
        return self.name


class Stage(Row):
    name = models.CharField(max_length=100)
    pipeline = models.ForeignKey(Pipeline, models.PROTECT)
    position = models.IntegerField(default=0)
    probability = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    color = models.CharField(max_length=10)
    kind = models.CharField(max_length=10)

    class Meta(Row.Meta):
        db_table = "sales_stage"

    def __str__(self) -> str:
        return self.name


class Deal(Row):
    created_by = models.ForeignKey(Member, models.PROTECT, null=True, editable=False, related_name="+")
    name = models.CharField(max_length=200)
    company = models.ForeignKey(Company, models.SET_NULL, null=True, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    owner = models.ForeignKey(Member, models.PROTECT, null=True, blank=True)
    pipeline = models.ForeignKey(Pipeline, models.PROTECT)
    stage = models.ForeignKey(Stage, models.PROTECT)
    expected_close = models.DateField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    source = models.CharField(max_length=30, blank=True, default="")
    probability = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    stage_entered_at = models.DateTimeField(default=timezone.now)

    class Meta(Row.Meta):
        db_table = "sales_deal"

    def __str__(self) -> str:
        return self.name


class DealContact(models.Model):
    objects: ClassVar[models.Manager[Any]] = models.Manager()

    id = models.UUIDField(primary_key=True, db_default=UUID7(), editable=False)
    deal = models.ForeignKey(Deal, models.CASCADE, related_name="contact_links")
    contact = models.ForeignKey(Contact, models.CASCADE)
    role = models.CharField(max_length=80)

    class Meta:
        managed = False
        db_table = "sales_dealcontact"

    def __str__(self) -> str:
        return self.role


class Task(models.Model):
    objects: ClassVar[models.Manager[Any]] = models.Manager()

    id = models.UUIDField(primary_key=True)
    due_at = models.DateTimeField(null=True)
    done = models.BooleanField()
    deleted_at = models.DateTimeField(null=True)
    about_type = models.CharField(max_length=40)
    about_id = models.UUIDField(null=True)

    class Meta:
        managed = False
        db_table = "activities_task"

    def __str__(self) -> str:
        return str(self.due_at)
