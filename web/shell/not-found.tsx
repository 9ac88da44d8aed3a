import { Anchor, Container, Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';

export function NotFound() {
  return (
    <Container size="sm" py="xl">
      <Title order={1} size="h3">
        There is no such page
      </Title>
      <Text mt="sm">
        The address leads nowhere.{' '}
        <Anchor component={Link} to="/machines">
          All machines
        </Anchor>
      </Text>
    </Container>
  );
}
