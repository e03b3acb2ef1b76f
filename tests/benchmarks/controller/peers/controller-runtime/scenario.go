package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const sentAnnotation = "bench.aim.amd.com/sent"

// A scenario is what the process does once it is started: the kind that it holds in its cache, and what it says at the
// end.
type scenario interface {
	kind() client.Object
	counted() map[string]any
}

func newScenario(mgr manager.Manager, given options) (scenario, error) {
	switch given.scenario {
	case "status":
		patch, err := json.Marshal(map[string]any{"status": map[string]any{"observed": given.token}})
		if err != nil {
			return nil, err
		}
		writer := &statusWriter{Client: mgr.GetClient(), token: given.token, patch: client.RawPatch(types.MergePatchType, patch)}
		return writer, reconcileWidgets(mgr, given.workers, writer)
	case "latency":
		listener := &listener{reader: mgr.GetClient(), started: time.Now().UnixNano()}
		return listener, reconcileWidgets(mgr, given.workers, listener)
	case "pods":
		return watchPods(mgr)
	}
	return nil, fmt.Errorf("scenario %q: give status, latency or pods", given.scenario)
}

func reconcileWidgets(mgr manager.Manager, workers int, reconciler reconcile.Reconciler) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("widget").
		For(&Widget{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(reconciler)
}

// statusWriter writes one status an object.
type statusWriter struct {
	client.Client
	token      string
	patch      client.Patch
	first      sync.Once
	reconciles atomic.Int64
}

func (w *statusWriter) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	w.first.Do(func() { report("first", nil) })
	w.reconciles.Add(1)
	var widget Widget
	if err := w.Get(ctx, request.NamespacedName, &widget); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if widget.Status.Observed == w.token {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, w.Status().Patch(ctx, &widget, w.patch)
}

func (w *statusWriter) kind() client.Object { return &Widget{} }

func (w *statusWriter) counted() map[string]any {
	return map[string]any{"reconciles": w.reconciles.Load()}
}

// listener notes how long ago the change it is called for was sent.
type listener struct {
	reader       client.Reader
	started      int64
	lock         sync.Mutex
	milliseconds []float64
}

func (l *listener) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	entered := time.Now().UnixNano()
	var widget Widget
	if err := l.reader.Get(ctx, request.NamespacedName, &widget); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	sent, err := strconv.ParseInt(widget.Annotations[sentAnnotation], 10, 64)
	if err != nil || sent < l.started {
		return reconcile.Result{}, nil // of an earlier run, or never changed
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	l.milliseconds = append(l.milliseconds, float64(entered-sent)/1e6)
	return reconcile.Result{}, nil
}

func (l *listener) kind() client.Object { return &Widget{} }

func (l *listener) counted() map[string]any {
	l.lock.Lock()
	defer l.lock.Unlock()
	return map[string]any{"milliseconds": append([]float64{}, l.milliseconds...)}
}

// podCounter holds pods in the cache and counts them.
type podCounter struct {
	seen atomic.Int64
}

func watchPods(mgr manager.Manager) (scenario, error) {
	counter := &podCounter{}
	err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		informer, err := mgr.GetCache().GetInformer(ctx, &corev1.Pod{})
		if err != nil {
			return err
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { counter.seen.Add(1) },
		})
		return err
	}))
	return counter, err
}

func (c *podCounter) kind() client.Object { return &corev1.Pod{} }

func (c *podCounter) counted() map[string]any {
	return map[string]any{"objects": c.seen.Load()}
}
