// One HTTP/2 connection, client side, with prior knowledge: nghttp2 for the protocol, a
// non-blocking socket under it, with TLS or without. Output gathers during a turn of the loop and
// leaves in flush. Thread: the loader's only thread. Ownership: owned by Client. Calls are borrowed
// until their on_end. Invariants: nghttp2's send path never runs inside one of its callbacks.
#pragma once

#include <event2/event.h>
#include <nghttp2/nghttp2.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load/call.h"
#include "load/secure_socket.h"

namespace lattice::load {

// What a connection needs from its owner.
class ConnectionOwner {
 public:
  // The connection has something to flush; called once until flush.
  virtual void on_dirty(class Connection& connection) = 0;
  // Bytes arrived: the server is alive.
  virtual void on_received() = 0;
  // The connection is dead; calls on it never end.
  virtual void on_lost(std::string_view why) = 0;

 protected:
  ~ConnectionOwner() = default;
};

// How much the server may send ahead of us: without limit, or HTTP/2's default of 64 KiB for each
// stream and the connection, and no more until release().
enum class Windows { wide, held };

class Connection {
 public:
  // `tls` may be null: plaintext.
  Connection(ConnectionOwner& owner, event_base* base, std::string authority, const TlsClient* tls,
             Windows windows = Windows::wide);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connects (blocking: it happens before the run) and queues the preface. False on failure.
  bool open(const std::string& host, uint16_t port);

  // Headers of each call that is started from now on. Borrowed; null: none.
  using Metadata = std::vector<std::pair<std::string, std::string>>;
  void send_along(const Metadata* metadata) { metadata_ = metadata; }
  // Starts `call` with `body` (framed messages). Without keep_open the request ends with it.
  // `path` must be a constant.
  void start(Call& call, std::string_view path, std::string body, bool keep_open);
  // Sends further framed messages on a call that was started with keep_open.
  void send(Call& call, std::string_view body);
  // Ends a call that is about to be destroyed; it hears no more.
  void cancel(Call& call);
  // Takes up reading, for good. Requires: Windows::held.
  void release();
  // Writes what is queued, as far as the socket takes it.
  void flush();

 private:
  struct EventFree {
    void operator()(event* e) const { event_free(e); }
  };
  struct SessionFree {
    void operator()(nghttp2_session* s) const { nghttp2_session_del(s); }
  };

  static int on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t,
                       const uint8_t*, size_t, uint8_t, void*);
  static int on_data(nghttp2_session*, uint8_t, int32_t, const uint8_t*, size_t, void*);
  static int on_close(nghttp2_session*, int32_t, uint32_t, void*);
  static int on_frame(nghttp2_session*, const nghttp2_frame*, void*);
  static ssize_t read_body(nghttp2_session*, int32_t, uint8_t*, size_t, uint32_t*,
                           nghttp2_data_source*, void*);
  static void on_readable(evutil_socket_t, short, void*);
  static void on_writable(evutil_socket_t, short, void*);

  bool create_session();
  bool announce_windows();
  void on_input(int32_t stream_id, size_t size);
  bool write_pending();
  void receive();
  void mark_dirty();
  void lost(std::string_view why);

  ConnectionOwner& owner_;
  event_base* base_;
  std::string authority_;
  Windows windows_;
  bool holding_;
  const Metadata* metadata_ = nullptr;
  std::map<int32_t, size_t> held_;  // by stream: received, and not given back to the windows
  SecureSocket socket_;
  bool dirty_ = false;
  bool lost_ = false;
  std::unique_ptr<nghttp2_session, SessionFree> session_;
  std::unique_ptr<event, EventFree> readable_;
  std::unique_ptr<event, EventFree> writable_;
  std::string pending_;  // bytes that nghttp2 produced and the socket has not taken
  size_t pending_sent_ = 0;
  std::vector<char> input_;
};

}  // namespace lattice::load
