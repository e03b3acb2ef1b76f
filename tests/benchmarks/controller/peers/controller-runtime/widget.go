package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Widget is the benchmark's own kind (objects.py has its definition).
type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              WidgetSpec   `json:"spec,omitempty"`
	Status            WidgetStatus `json:"status,omitempty"`
}

// WidgetSpec is what a user would have asked for.
type WidgetSpec struct {
	Size  int32    `json:"size,omitempty"`
	Owner string   `json:"owner,omitempty"`
	Parts []string `json:"parts,omitempty"`
}

// WidgetStatus is what the controllers write.
type WidgetStatus struct {
	Observed string `json:"observed,omitempty"`
}

// WidgetList is a collection of widgets.
type WidgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Widget `json:"items"`
}

// DeepCopyObject implements runtime.Object as generated code would.
func (in *Widget) DeepCopyObject() runtime.Object {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Parts = append([]string(nil), in.Spec.Parts...)
	return &out
}

// DeepCopyObject implements runtime.Object as generated code would.
func (in *WidgetList) DeepCopyObject() runtime.Object {
	out := *in
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]Widget, len(in.Items))
	for index := range in.Items {
		out.Items[index] = *in.Items[index].DeepCopyObject().(*Widget)
	}
	return &out
}

func addWidgets(scheme *runtime.Scheme) {
	version := schema.GroupVersion{Group: "bench.aim.amd.com", Version: "v1"}
	scheme.AddKnownTypes(version, &Widget{}, &WidgetList{})
	metav1.AddToGroupVersion(scheme, version)
}
