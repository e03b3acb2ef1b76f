"""ConfigMaps of AIM profiles for annotated pods, KServe's among them: one for all pods of a namespace that ask alike.

In: pods that mount one, by the volume that the webhook added; models, products. Out: the ConfigMap that the volume
names, with the profiles of every mode of the products that are here, owned by those who made the pods, so that the
garbage collector takes it with the last of them. A pod's gate stays closed until it is there.

    reconciler = ProfileMapReconciler(client, cluster, sizing)

`writing` and `files` serve InferenceServices of ours, too, whose own reconciler writes theirs.
"""
