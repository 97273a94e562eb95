#include <cstdio>

int main() {
  std::printf("lattice %s\n", LATTICE_VERSION);
  return 0;
}
