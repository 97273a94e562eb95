// The nghttp2 tables that every HTTP/2 session of a loop shares: its callbacks and its options.
// Thread: the loop's. Ownership: outlives the sessions made from it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>

namespace lattice::proxy {

class Http2Stream;

// Reads a response's body from its stream. Requires: the stream outlives the submission.
nghttp2_data_provider body_provider(Http2Stream& stream);

class Http2Runtime {
 public:
  Http2Runtime();

  const nghttp2_session_callbacks* callbacks() const { return callbacks_.get(); }
  const nghttp2_option* options() const { return options_.get(); }

 private:
  struct CallbacksDelete {
    void operator()(nghttp2_session_callbacks* callbacks) const {
      nghttp2_session_callbacks_del(callbacks);
    }
  };
  struct OptionsDelete {
    void operator()(nghttp2_option* options) const { nghttp2_option_del(options); }
  };
  std::unique_ptr<nghttp2_session_callbacks, CallbacksDelete> callbacks_;
  std::unique_ptr<nghttp2_option, OptionsDelete> options_;
};

}  // namespace lattice::proxy
