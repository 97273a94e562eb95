// How jemalloc is to get its memory; it looks for a variable of this name. A keyspace is a few
// hundred megabytes read at random, and with pages of 4 KiB each look at a key costs a walk through
// the page tables besides (two of them in a virtual machine): gets are a tenth slower.

// NOLINTNEXTLINE(misc-definitions-in-headers,cppcoreguidelines-avoid-non-const-global-variables)
extern "C" const char* malloc_conf;
const char* malloc_conf = "thp:always,metadata_thp:auto";
