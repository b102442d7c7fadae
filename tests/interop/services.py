"""Services in Python, which C programs call."""
import mitogen.service


class Counter(mitogen.service.Service):
    def __init__(self, router):
        super(Counter, self).__init__(router)
        self.count = 0

    @mitogen.service.expose(policy=mitogen.service.AllowParents())
    def add_one(self):
        self.count += 1
        return self.count

    @mitogen.service.expose(policy=mitogen.service.AllowAny())
    def for_all(self):
        return u'for all'

    @mitogen.service.expose(policy=mitogen.service.AllowAny())
    def odd(self):
        return complex(1, 2)
