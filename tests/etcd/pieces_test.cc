// The small parts that services are made of.
#include <doctest/doctest.h>

#include "etcd/call_ref.h"
#include "etcd/http_reply.h"
#include "etcd/identity.h"
#include "etcd/key_watch.h"
#include "etcd/open_calls.h"
#include "etcd/session_call.h"
#include "etcd/utf8.h"
#include "etcd/write_size.h"

namespace lattice::etcd {
namespace {

TEST_CASE("UTF-8 is told from other bytes") {
  for (const char* text : {"", "plain", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    CAPTURE(text);
    CHECK(is_utf8(text));
  }
  for (const char* text :
       {"\x80", "\xc0\xaf", "\xc1\x81", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xff"}) {
    CAPTURE(text);
    CHECK_FALSE(is_utf8(text));
  }
}

TEST_CASE("query parameters are found wherever they stand") {
  CHECK(query_values("", "verbose").empty());
  CHECK(query_values("verbose", "verbose") == std::vector<std::string>{""});
  CHECK(query_values("a=1&verbose=&b", "verbose") == std::vector<std::string>{""});
  CHECK(query_values("exclude=NOSPACE&exclude=a%20b+c", "exclude") ==
        std::vector<std::string>{"NOSPACE", "a b c"});
  CHECK(query_values("excluded=x", "exclude").empty());
  CHECK(query_values("x=%zz%4", "x") == std::vector<std::string>{"%zz%4"});
}

TEST_CASE("reasons fit into JSON whatever they hold") {
  CHECK(json_escape("a\"b\\c\n") == "a\\\"b\\\\c\\u000a");
  CHECK(json_escape("\xc3\xbc") == "\xc3\xbc");
  CHECK(json_escape("\xff") == "\\u00ff");
}

TEST_CASE("a member's id is the start of the SHA-1 of its sorted URLs and the token") {
  CHECK(derive_member_id({"b", "a"}, "t") == derive_member_id({"a", "b"}, "t"));
  CHECK(derive_member_id({"a"}, "t") != derive_member_id({"a"}, "u"));
  // sha1("abc") begins a9993e364706816a.
  CHECK(derive_member_id({"ab"}, "c") == 0xa9993e364706816a);
}

TEST_CASE("prefixes end where the next sibling begins") {
  CHECK(prefix_end("a/") == "a0");
  CHECK(prefix_end("a\xff") == "b");
  CHECK(prefix_end("\xff\xff") == std::string(1, '\0'));
}

TEST_CASE("queue keys carry the lease in hexadecimal, as Go prints it") {
  CHECK(queue_key(queue_prefix("l"), LeaseId(0x694d)) == "l/694d");
  CHECK(queue_key("l/", LeaseId(0)) == "l/0");
  CHECK(queue_key("l/", LeaseId(-31)) == "l/-1f");
  CHECK(queue_key("l/", LeaseId(INT64_MIN)) == "l/-8000000000000000");
}

TEST_CASE("the size limit counts what etcd's own envelope adds") {
  ServiceLimits limits;
  limits.request_bytes_max = 1000;
  // 1 tag + 2 length bytes and 13 of header.
  CHECK_FALSE(is_too_large(limits, 984));
  CHECK(is_too_large(limits, 985));
}

TEST_CASE("a reference to a call that is gone finds nobody") {
  struct Holder {
    CallAnchor anchor{this};
  };
  auto holder = std::make_unique<Holder>();
  CallRef<Holder> ref = holder->anchor.ref<Holder>();
  CallRef<Holder> copy = ref;
  CHECK(copy.get() == holder.get());
  holder.reset();
  CHECK(ref.get() == nullptr);
  CHECK(copy.get() == nullptr);
}

TEST_CASE("open calls are ended all together, those that have left not") {
  struct Probe : OpenCall {
    using OpenCall::OpenCall;
    void end(const Status& status) override { ended = status.error(); }
    Error ended = Error::ok;
  };
  OpenCalls calls;
  Probe first(calls), last(calls);
  {
    Probe gone(calls);
    CHECK(calls.size() == 3);
  }
  CHECK(calls.size() == 2);
  calls.end_all(Error::stopped);
  CHECK(first.ended == Error::stopped);
  CHECK(last.ended == Error::stopped);
}

}  // namespace
}  // namespace lattice::etcd
