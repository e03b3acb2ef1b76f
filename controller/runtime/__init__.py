"""A controller runtime in asyncio: it knows Kubernetes and nothing of what a controller is for.

In: an API server. Out: calls of your reconcile functions, and their writes. `client` talks to the server, `cache`
keeps local copies, `workqueue` and `controller` decide what is reconciled when, `manager` starts and stops it all in
order, `election` says which replica may write; `webhook`, `certs`, `health`, `metrics_server`, `debug` and
`event_recorder` are what an operator needs besides. README.md says what is guaranteed, and has a controller that
writes.

A whole controller, logging the pods of a cluster (run it with a kubeconfig at hand):

    import asyncio

    from controller.runtime.cache.informer import Informer
    from controller.runtime.client.client import Client
    from controller.runtime.client.configuration import ClientConfiguration
    from controller.runtime.client.core import PODS
    from controller.runtime.controller import Controller
    from controller.runtime.manager import Manager
    from controller.runtime.reconcile import Request, Result


    async def main() -> None:
        async with Client(ClientConfiguration.load()) as client:
            pods = Informer(client, PODS)

            async def reconcile(request: Request) -> Result:
                pod = pods.store.get(request.key)
                print(request, "is gone" if pod is None else pod["status"].get("phase"))
                return Result()

            controller = Controller("pods", reconcile, workers=4)
            controller.for_(pods)
            manager = Manager()
            manager.add_informer(pods)
            manager.add_controller(controller)
            await manager.run(stop=asyncio.Event())


    asyncio.run(main())
"""
