// Command bench-controller-runtime is the peer that the controller benchmark measures beside our runtime: a manager of
// controller-runtime as its users build one, with client-side throttling off and 32 reconciles at a time.
//
// It speaks the contenders' protocol (contender.py): "ready" once it has talked to the API server, then it waits for a
// line on standard input, starts its caches and controllers, reports "synced" and "first", and ends when standard input
// does, saying what it has counted.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

type options struct {
	kubeconfig, scenario, namespace, token, projection string
	workers                                            int
}

func main() {
	var given options
	flags := flag.NewFlagSet("bench", flag.ExitOnError) // controller-runtime has flags of its own in the usual one
	flags.StringVar(&given.kubeconfig, "kubeconfig", "", "file")
	flags.StringVar(&given.scenario, "scenario", "status", "status, latency or pods")
	flags.StringVar(&given.namespace, "namespace", "", "the only one that is watched")
	flags.StringVar(&given.token, "token", "", "what is written to status.observed")
	flags.StringVar(&given.projection, "projection", "full", "full or projected: what is kept of a pod")
	flags.IntVar(&given.workers, "workers", 32, "reconciles at a time")
	_ = flags.Parse(os.Args[1:])
	if err := run(given); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(given options) error {
	ctrl.SetLogger(zap.New())
	mgr, err := newManager(given)
	if err != nil {
		return err
	}
	scenario, err := newScenario(mgr, given)
	if err != nil {
		return err
	}
	if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		// In a started cache it blocks until the informer, which the controller shares, holds the first list.
		_, err := mgr.GetCache().GetInformer(ctx, scenario.kind())
		report("synced", nil)
		return err
	})); err != nil {
		return err
	}
	// One answered request: TLS, connection and REST mapping belong to the idle process.
	if err := mgr.GetAPIReader().Get(context.Background(), client.ObjectKey{Name: given.namespace}, &corev1.Namespace{}); err != nil {
		return err
	}
	report("ready", nil)
	input := bufio.NewReader(os.Stdin)
	if _, err := input.ReadString('\n'); err != nil {
		return fmt.Errorf("standard input ended before the start: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, input)
		stop()
	}()
	if err := mgr.Start(ctx); err != nil {
		return err
	}
	report("ended", scenario.counted())
	return nil
}

func newManager(given options) (manager.Manager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", given.kubeconfig)
	if err != nil {
		return nil, err
	}
	unthrottled := rest.CopyConfig(config)
	unthrottled.QPS = -1
	unthrottled.UserAgent = "bench-controller" // as ours: it becomes the owner of the fields
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	addWidgets(scheme)
	return ctrl.NewManager(unthrottled, ctrl.Options{
		Scheme:                 scheme,
		Metrics:                metricsserver.Options{BindAddress: "127.0.0.1:0"},
		HealthProbeBindAddress: "127.0.0.1:0",
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{given.namespace: {}},
			DefaultTransform:  transform(given.projection),
		},
	})
}
