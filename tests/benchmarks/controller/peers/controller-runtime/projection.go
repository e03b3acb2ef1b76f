package main

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// transform runs before an object is stored: it drops managedFields, or of a pod all but what the projection keeps.
func transform(projection string) toolscache.TransformFunc {
	strip := cache.TransformStripManagedFields()
	if projection != "projected" {
		return strip
	}
	return func(object any) (any, error) {
		if pod, ok := object.(*corev1.Pod); ok {
			return projected(pod), nil
		}
		return strip(object)
	}
}

// projected is the pod that our runtime's own struct of a pod holds, field for field.
func projected(pod *corev1.Pod) *corev1.Pod {
	kept := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:            pod.Name,
			Namespace:       pod.Namespace,
			UID:             pod.UID,
			ResourceVersion: pod.ResourceVersion,
			Labels:          pod.Labels,
		},
		Spec:   corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status: corev1.PodStatus{Phase: pod.Status.Phase},
	}
	for _, container := range pod.Spec.Containers {
		kept.Spec.Containers = append(kept.Spec.Containers, corev1.Container{
			Name:      container.Name,
			Resources: corev1.ResourceRequirements{Requests: container.Resources.Requests},
		})
	}
	return kept
}
