//! The open connections of a server.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
};

#[cfg(feature = "tls")]
use super::socket::Socket;
use super::{
    connection::{self, Service, Standing},
    listener::{Accepted, Listener},
};
use crate::{
    executor::Engine,
    stream::recover,
    sync::{Event, Waiters},
    task::{self, TaskRef},
};

pub(crate) struct Clients {
    engine: Rc<Engine>,
    open: RefCell<BTreeMap<u64, Client>>,
    next: Cell<u64>,
    closed: Event,
    /// Those who wait for connections to end.
    waiting: Waiters,
}

struct Client {
    task: TaskRef,
    standing: Rc<Standing>,
}

impl Clients {
    pub(crate) fn new(engine: Rc<Engine>) -> Rc<Self> {
        Rc::new(Clients {
            engine,
            open: RefCell::new(BTreeMap::new()),
            next: Cell::new(0),
            closed: Event::new(),
            waiting: Waiters::default(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.open.borrow().len()
    }

    fn tasks(&self) -> Vec<TaskRef> {
        let open = self.open.borrow();
        open.values().map(|client| client.task.clone()).collect()
    }

    /// Lets every connection look at what has changed.
    pub(crate) fn wake(&self) {
        self.tasks().iter().for_each(TaskRef::wake);
    }

    /// Cuts every connection off.
    pub(crate) fn abort(&self) {
        for task in self.tasks() {
            task.cancel();
        }
    }

    /// Waits until none is open.
    pub(crate) async fn drained(&self) {
        self.waiting.until(|| self.len() == 0).await;
    }

    /// Waits until [`close`](Clients::close) is called.
    pub(crate) async fn until_closed(&self) {
        self.closed.wait().await;
    }

    pub(crate) fn close(&self) {
        self.closed.set();
    }

    /// Waits for a place; an idle connection is closed for it.
    async fn room(&self, most: usize) {
        if self.len() >= most {
            self.shed();
            self.waiting.until(|| self.len() < most).await;
        }
    }

    /// Closes the idle connection that has been open longest.
    fn shed(&self) {
        let open = self.open.borrow();
        let idle = |client: &&Client| client.standing.idle.get() && !client.standing.shed.get();
        let chosen = open.values().find(idle).map(|client| {
            client.standing.shed.set(true);
            client.task.clone()
        });
        drop(open);
        if let Some(task) = chosen {
            task.wake();
        }
    }

    fn serve(self: &Rc<Self>, standing: Rc<Standing>, serving: impl Future<Output = ()> + 'static) {
        let number = self.next.get();
        self.next.set(number + 1);
        let open = Open {
            clients: Rc::downgrade(self),
            number,
        };
        let connection = task::spawn(&self.engine, async move {
            let _open = open;
            serving.await;
        });
        if let Some(task) = connection.reference() {
            let client = Client { task, standing };
            self.open.borrow_mut().insert(number, client);
        }
        connection.detach();
    }

    /// Accepts connections, at most `most` at a time, until it is dropped.
    pub(crate) async fn accept(
        self: Rc<Self>,
        listener: Listener,
        service: Rc<Service>,
        most: usize,
    ) {
        let _listening = Listening(self.clone());
        loop {
            match listener.accept().await {
                Ok(Accepted {
                    socket,
                    peer,
                    counted,
                }) => {
                    // Only now: no connection is closed for one that may never come.
                    self.room(most).await;
                    let standing = Rc::new(Standing::default());
                    let (of_service, of_client) = (service.clone(), standing.clone());
                    #[cfg(feature = "tls")]
                    let tls = listener.tls.clone();
                    self.serve(standing, async move {
                        let _counted = counted;
                        // In the connection's own task: others are accepted meanwhile.
                        #[cfg(feature = "tls")]
                        let Some(socket) = encrypted(socket, tls.as_ref()).await else {
                            return;
                        };
                        connection::serve(socket, peer, of_service, of_client).await;
                    });
                }
                Err(error) => recover(&error, &self.engine, || self.shed()).await,
            }
        }
    }
}

#[cfg(feature = "tls")]
async fn encrypted(socket: Socket, tls: Option<&crate::tls::ServerConfig>) -> Option<Socket> {
    match tls {
        Some(config) => socket.encrypt(config).await,
        None => Some(socket),
    }
}

/// Tells those who wait, however the accepting ends.
struct Listening(Rc<Clients>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Takes the connection off the list, however its service ends.
struct Open {
    clients: Weak<Clients>,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(clients) = self.clients.upgrade() {
            clients.open.borrow_mut().remove(&self.number);
            clients.waiting.call_all();
        }
    }
}
