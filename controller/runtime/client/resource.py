"""Which collection of the API a request is about, and the paths it is served under."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource: group ("" for the core group), version, plural (path segment), kind, scope."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """What objects carry as `apiVersion`: "v1" or "group/version"."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of the collection, or with `name` of one object, or with `subresource` of a part of it.

        A namespaced resource without `namespace` is the collection of all namespaces. Raises ValueError for an
        object or subresource that the given parts cannot name.
        """
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            root = f"{root}/namespaces/{namespace}"
        elif namespace:
            raise ValueError(f"namespace {namespace!r}: {self} is cluster-scoped; leave the namespace out")
        elif self.namespaced and name:
            raise ValueError(f"name {name!r}: {self} is namespaced; give the namespace as well")
        if subresource and not name:
            raise ValueError(f"subresource {subresource!r} of {self}: give the object's name as well")
        return "/".join(part for part in (root, self.plural, name, subresource) if part)
