"""A whole list at once, for the few small ones that are looked at now and then and not watched."""

from __future__ import annotations

from typing import TypeVar

from gatereeve.sources.kube import client as kube

T = TypeVar("T")

_PAGE = 500
_MOST_PAGES = 200


async def everything(client: kube.ApiClient, scope: kube.ListScope) -> list[kube.Object]:
    """Every object of `scope`, whole. Raises ApiError; what was read by then is not given out."""
    return await everything_as(client, scope, dict)


async def everything_as(client: kube.ApiClient, scope: kube.ListScope, shape: type[T]) -> list[T]:
    """The same as values of a type of `typed_objects`."""
    found: list[T] = []
    token = ""
    for _ in range(_MOST_PAGES):
        page = await client.page(scope, limit=_PAGE, continue_token=token)
        found += [kube.decode_as(bytes(item.raw), f"list {scope}", shape) for item in page.items]
        token = page.continue_token
        if not token:
            return found
    raise kube.PageTooLargeError(
        f"list {scope}: more than {_PAGE * _MOST_PAGES} objects", hint="watch fewer namespaces"
    )
