#include "tls/socket_bio.h"

#include <new>

#include "tls/stream.h"

namespace lattice::tls {
namespace {

int on_read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got =
      static_cast<Stream*>(BIO_get_data(bio))->pull(into, static_cast<size_t>(size));
  if (got == Stream::nothing_now) BIO_set_retry_read(bio);
  return got < 0 ? -1 : static_cast<int>(got);
}

int on_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  if (static_cast<Stream*>(BIO_get_data(bio))->push({bytes, static_cast<size_t>(size)}))
    return size;
  BIO_set_retry_write(bio);
  return -1;
}

long on_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;  // the Stream does
  if (command == BIO_CTRL_EOF) return static_cast<Stream*>(BIO_get_data(bio))->input_ended();
  return 0;
}

}  // namespace

BIO_METHOD* new_socket_method() {
  BIO_METHOD* method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");
  if (method == nullptr) return nullptr;
  BIO_meth_set_read(method, &on_read);
  BIO_meth_set_write(method, &on_write);
  BIO_meth_set_ctrl(method, &on_control);
  return method;
}

BIO* new_socket_bio(const BIO_METHOD* method, Stream& stream) {
  BIO* bio = BIO_new(method);
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, &stream);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace lattice::tls
