"""Checks rendered manifests against the schemas of Kubernetes and of the operators.

    chart_schemas.py [--definitions FILE-OR-DIRECTORY]... [--hosts DIRECTORY] RENDERED

RENDERED holds a directory for each version of Kubernetes, with files of YAML. Kubernetes' own kinds are held against the
schemas in the package kubernetes-validate, others against the CustomResourceDefinitions given. Both are strict: a field
that no schema knows is a mistake. Snippets for sidecars are put into the objects that they are for, and checked there;
with --hosts these objects are written, too.
"""

import argparse
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

class Loader(yaml.CSafeLoader):
    """Reads definitions, in which a lone `=` is a text."""


Loader.add_constructor("tag:yaml.org,2002:value", yaml.CSafeLoader.construct_yaml_str)

# What a snippet is put into, by its name.
HOSTS = {
    "prometheus-operator.yaml": {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "agent"},
        "spec": {},
    },
    "vmagent.yaml": {
        "apiVersion": "operator.victoriametrics.com/v1beta1",
        "kind": "VMAgent",
        "metadata": {"name": "agent"},
        "spec": {},
    },
    "patch.yaml": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [{"name": "agent", "image": "agent"}]},
            },
        },
    },
}


def strict(schema):
    """The schema of a definition as JSON schema has it, with no field allowed that it does not name."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    if schema.pop("x-kubernetes-int-or-string", False):
        schema.pop("anyOf", None)
        schema["type"] = ["integer", "string"]
    free = schema.pop("x-kubernetes-preserve-unknown-fields", False)
    # a field may be called `properties`: then it is no schema, and its value has no type
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict) and not free:
        schema.setdefault("additionalProperties", False)
    return schema


def definitions(paths):
    """Schemas of kinds that are not Kubernetes' own, by apiVersion and kind."""
    found = {}
    for path in paths:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            for document in yaml.load_all(file.read_text(), Loader):
                if not document or document.get("kind") != "CustomResourceDefinition":
                    continue
                spec = document["spec"]
                for version in spec["versions"]:
                    key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                    schema = strict(version["schema"]["openAPIV3Schema"])
                    # Kubernetes knows these better than a definition does
                    schema["properties"]["metadata"] = {"type": "object"}
                    found[key] = jsonschema.Draft7Validator(schema)
    return found


def merged(host, patch):
    """`patch` on `host`, as a strategic merge has it for containers and volumes."""
    if isinstance(host, dict) and isinstance(patch, dict):
        return {key: merged(host.get(key), patch.get(key)) for key in host | patch}
    if isinstance(host, list) and isinstance(patch, list):
        return host + patch
    return host if patch is None else patch


def hosts(document):
    """What the snippets in a ConfigMap make, by their names."""
    if document["kind"] == "ConfigMap":
        for name, text in document["data"].items():
            if name in HOSTS:
                snippet = yaml.safe_load(text)
                yield name, merged(HOSTS[name], snippet if "spec" in snippet else {"spec": snippet})


def mistakes(document, version, known):
    """What is wrong with an object for a version of Kubernetes; None where nobody has a schema of it."""
    validator = known.get((document["apiVersion"], document["kind"]))
    if validator:
        return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(document)]
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(str(part) for part in error.path)}: {error.message[:300]}"]
    except kubernetes_validate.SchemaNotFoundError:
        # groups of Kubernetes' own have no dot, or end in k8s.io: one of these that is not known is misspelt
        group = document["apiVersion"].rpartition("/")[0]
        return None if "." in group and not group.endswith("k8s.io") else ["Kubernetes has no such kind"]
    return []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--definitions", action="append", default=[], type=pathlib.Path)
    parser.add_argument("--hosts", type=pathlib.Path)
    parser.add_argument("rendered", type=pathlib.Path)
    args = parser.parse_args()
    known = definitions(args.definitions)
    checked, kinds, wrong, unknown = 0, set(), 0, set()
    for file in sorted(args.rendered.glob("*/*.yaml")):
        version = file.parent.name
        for document in yaml.safe_load_all(file.read_text()):
            made = list(hosts(document)) if document else []
            for name, host in made if args.hosts else []:
                written = args.hosts / version / f"{file.stem}-{name}"
                written.parent.mkdir(parents=True, exist_ok=True)
                written.write_text(yaml.safe_dump(host, sort_keys=False))
            for each in [document, *(host for _, host in made)] if document else []:
                found = mistakes(each, version, known)
                if found is None:
                    unknown.add(f"{each['apiVersion']} {each['kind']}")
                    continue
                checked += 1
                kinds.add(each["kind"])
                for mistake in found:
                    wrong += 1
                    print(f"{version}/{file.name}: {each['kind']}: {mistake}", file=sys.stderr)
    if wrong or not checked:
        sys.exit(f"schemas: {wrong} mistakes in {checked} objects")
    print(f"schemas: {checked} objects of {len(kinds)} kinds are as their schemas have them: {', '.join(sorted(kinds))}")
    if unknown:
        print(f"schemas: NOT CHECKED, no definition of them was given: {', '.join(sorted(unknown))}")


if __name__ == "__main__":
    main()
